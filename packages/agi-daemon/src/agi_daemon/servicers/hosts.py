"""``agi.v1.HostService``."""

from __future__ import annotations

from agi_cluster.api.v1 import hosts_pb2 as pb
from agi_cluster.api.v1 import hosts_pb2_grpc
from agi_cluster.model.services import HostService
from agi_cluster.wire.host import host_to_wire
from agi_cluster.wire.name import resource_name
from agi_daemon.interceptors.surround import Context
from agi_daemon.servicers import fields


class HostServicer(hosts_pb2_grpc.HostServiceServicer):
    """Offers the hosts of a core."""

    def __init__(self, hosts: HostService) -> None:
        self._hosts = hosts

    async def ListHosts(
        self, request: pb.ListHostsRequest, context: Context
    ) -> pb.ListHostsResponse:
        page = await self._hosts.list_hosts(**fields.page(request))
        hosts = [host_to_wire(host) for host in page.items]
        return pb.ListHostsResponse(hosts=hosts, next_page_token=page.next_page_token)

    async def GetHost(self, request: pb.GetHostRequest, context: Context) -> pb.Host:
        return host_to_wire(await self._hosts.get_host(resource_name("hosts", request.name)))
