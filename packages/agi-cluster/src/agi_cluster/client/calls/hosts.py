"""The calls of ``HostService``."""

from __future__ import annotations

from typing import Any

from google.protobuf.message import Message

from agi_cluster.api.v1 import hosts_pb2 as pb
from agi_cluster.api.v1.hosts_pb2_grpc import HostServiceStub
from agi_cluster.client.call import Call, new_request_id
from agi_cluster.client.deadlines import Pace
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


def create_host(
    address: str,
    *,
    user: str = "",
    port: int = 0,
    identity_file: str = "",
    trust_fingerprint: str = "",
    request_id: str = "",
    validate_only: bool = False,
) -> Call[Host]:
    """Enrol a host: ask it for its key, and accept that key if it has this fingerprint.

    Args:
        address: What worker maps will call it: a name or an address, IPv6 without brackets.
        user: The name of the login; empty: as ``ssh_config`` says.
        port: The SSH port; 0: as ``ssh_config`` says.
        identity_file: The absolute path of the private key on the manager; empty: the usual ones.
        trust_fingerprint: Accept the key at once if it is this one, as ``SHA256:...``.
        request_id: A UUID; a new one by default.
        validate_only: Only check.
    """
    request = checked(pb.CreateHostRequest)(
        request_id=new_request_id(request_id),
        address=address,
        user=user,
        port=port,
        identity_file=identity_file,
        trust_fingerprint=trust_fingerprint,
        validate_only=validate_only,
    )
    return _change("CreateHost", request)


def trust_host(
    name: str, fingerprint: str, *, request_id: str = "", validate_only: bool = False
) -> Call[Host]:
    """Accept the key of a host, which must have this fingerprint, log in and read its facts."""
    facts = _facts(name, request_id, validate_only)
    return _change("TrustHost", checked(pb.TrustHostRequest)(**facts, fingerprint=fingerprint))


def authorize_host(
    name: str, password: str, *, request_id: str = "", validate_only: bool = False
) -> Call[Host]:
    """Install the daemon's public key on a host after one login by password."""
    facts = _facts(name, request_id, validate_only)
    return _change("AuthorizeHost", checked(pb.AuthorizeHostRequest)(**facts, password=password))


def check_host(name: str, *, request_id: str = "", validate_only: bool = False) -> Call[Host]:
    """Look at a host again; what is wrong with it is in the answer."""
    facts = _facts(name, request_id, validate_only)
    return _change("CheckHost", checked(pb.CheckHostRequest)(**facts))


def drain_host(
    name: str, *, etag: str = "", request_id: str = "", validate_only: bool = False
) -> Call[Host]:
    """Have nothing new placed on a host; what runs there goes on."""
    facts = _facts(name, request_id, validate_only)
    return _change("DrainHost", checked(pb.DrainHostRequest)(**facts, etag=etag))


def resume_host(
    name: str, *, etag: str = "", request_id: str = "", validate_only: bool = False
) -> Call[Host]:
    """End the draining of a host."""
    facts = _facts(name, request_id, validate_only)
    return _change("ResumeHost", checked(pb.ResumeHostRequest)(**facts, etag=etag))


def delete_host(
    name: str, *, etag: str = "", request_id: str = "", validate_only: bool = False
) -> Call[Host]:
    """Forget a host that nothing uses; returns it as it was."""
    facts = _facts(name, request_id, validate_only)
    return _change("DeleteHost", checked(pb.DeleteHostRequest)(**facts, etag=etag))


def _facts(name: str, request_id: str, validate_only: bool) -> dict[str, Any]:
    """What every change of one host has in common."""
    return {
        "name": resource_name("hosts", name),
        "request_id": new_request_id(request_id),
        "validate_only": validate_only,
    }


def _change(rpc: str, request: Message) -> Call[Host]:
    return Call(
        stub=HostServiceStub, rpc=rpc, request=request, parse=host_from_wire, pace=Pace.HOST
    )


def _page(response: pb.ListHostsResponse) -> Page[Host]:
    return page_from_wire(response.hosts, response.next_page_token, host_from_wire)
