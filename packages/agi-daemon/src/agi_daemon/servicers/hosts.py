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

    async def CreateHost(self, request: pb.CreateHostRequest, context: Context) -> pb.Host:
        identity = request.identity_file
        host = await self._hosts.create_host(
            fields.required(request.address, "address"),
            user=request.user,
            port=fields.not_negative(request.port, "port"),
            identity_file=identity and fields.absolute_path(identity, "identity_file"),
            trust_fingerprint=request.trust_fingerprint,
            **fields.mutation(request),
        )
        return host_to_wire(host)

    async def TrustHost(self, request: pb.TrustHostRequest, context: Context) -> pb.Host:
        name = resource_name("hosts", request.name)
        fingerprint = fields.required(request.fingerprint, "fingerprint")
        host = await self._hosts.trust_host(name, fingerprint, **fields.mutation(request))
        return host_to_wire(host)

    async def AuthorizeHost(self, request: pb.AuthorizeHostRequest, context: Context) -> pb.Host:
        name = resource_name("hosts", request.name)
        password = fields.required(request.password, "password")
        host = await self._hosts.authorize_host(name, password, **fields.mutation(request))
        return host_to_wire(host)

    async def CheckHost(self, request: pb.CheckHostRequest, context: Context) -> pb.Host:
        name = resource_name("hosts", request.name)
        return host_to_wire(await self._hosts.check_host(name, **fields.mutation(request)))

    async def DrainHost(self, request: pb.DrainHostRequest, context: Context) -> pb.Host:
        name = resource_name("hosts", request.name)
        host = await self._hosts.drain_host(name, etag=request.etag, **fields.mutation(request))
        return host_to_wire(host)

    async def ResumeHost(self, request: pb.ResumeHostRequest, context: Context) -> pb.Host:
        name = resource_name("hosts", request.name)
        host = await self._hosts.resume_host(name, etag=request.etag, **fields.mutation(request))
        return host_to_wire(host)

    async def DeleteHost(self, request: pb.DeleteHostRequest, context: Context) -> pb.Host:
        name = resource_name("hosts", request.name)
        host = await self._hosts.delete_host(name, etag=request.etag, **fields.mutation(request))
        return host_to_wire(host)
