"""The calls of ``HostService``."""

from __future__ import annotations

from agi_cluster.api.v1 import hosts_pb2 as pb
from agi_cluster.api.v1.hosts_pb2_grpc import HostServiceStub
from agi_cluster.client.call import Call
from agi_cluster.model.host import Host
from agi_cluster.model.page import Page
from agi_cluster.wire.host import host_from_wire
from agi_cluster.wire.message import checked
from agi_cluster.wire.name import resource_name
from agi_cluster.wire.page import page_from_wire


def list_hosts(*, page_size: int = 0, page_token: str = "") -> Call[Page[Host]]:
    """A page of the hosts, by address."""
    request = checked(pb.ListHostsRequest)(page_size=page_size, page_token=page_token)
    return Call(stub=HostServiceStub, rpc="ListHosts", request=request, parse=_page)


def get_host(name: str) -> Call[Host]:
    """One host, by its address."""
    request = checked(pb.GetHostRequest)(name=resource_name("hosts", name))
    return Call(stub=HostServiceStub, rpc="GetHost", request=request, parse=host_from_wire)


def _page(response: pb.ListHostsResponse) -> Page[Host]:
    return page_from_wire(response.hosts, response.next_page_token, host_from_wire)
