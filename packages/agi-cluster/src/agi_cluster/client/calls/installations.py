"""The calls of ``InstallationService``."""

from __future__ import annotations

from agi_cluster.api.v1 import installations_pb2 as pb
from agi_cluster.api.v1.installations_pb2_grpc import InstallationServiceStub
from agi_cluster.client.call import Call, Watch, new_request_id
from agi_cluster.client.deadlines import Pace
from agi_cluster.model.event import Event
from agi_cluster.model.installation import Installation
from agi_cluster.model.page import Page
from agi_cluster.model.requests import CreateInstallation
from agi_cluster.wire.installation import installation_from_wire, installation_update_from_wire
from agi_cluster.wire.message import checked
from agi_cluster.wire.name import resource_name
from agi_cluster.wire.page import page_from_wire
from agi_cluster.wire.requests import create_installation_to_wire


def create_installation(
    request: CreateInstallation, *, request_id: str = "", validate_only: bool = False
) -> Call[Installation]:
    """Start an install of the current sources."""
    message = create_installation_to_wire(
        request, request_id=new_request_id(request_id), validate_only=validate_only
    )
    return Call(
        stub=InstallationServiceStub,
        rpc="CreateInstallation",
        request=message,
        parse=installation_from_wire,
        pace=Pace.CHANGE,
    )


def get_installation(name: str) -> Call[Installation]:
    """One installation."""
    request = checked(pb.GetInstallationRequest)(name=resource_name("installations", name))
    return Call(
        stub=InstallationServiceStub,
        rpc="GetInstallation",
        request=request,
        parse=installation_from_wire,
    )


def list_installations(
    *, page_size: int = 0, page_token: str = "", app: str = ""
) -> Call[Page[Installation]]:
    """A page of the installations, newest first."""
    request = checked(pb.ListInstallationsRequest)(
        page_size=page_size, page_token=page_token, app=app
    )
    return Call(stub=InstallationServiceStub, rpc="ListInstallations", request=request, parse=_page)


def watch_installation(name: str, *, after_sequence: int = 0) -> Watch[Installation | Event]:
    """Follow an installation: snapshot, events, last snapshot, each with its number."""
    full = resource_name("installations", name)

    def request(after: int) -> pb.WatchInstallationRequest:
        return checked(pb.WatchInstallationRequest)(name=full, after_sequence=after)

    return Watch(
        stub=InstallationServiceStub,
        rpc="WatchInstallation",
        request=request,
        after_sequence=after_sequence,
        parse=installation_update_from_wire,
    )


def _page(response: pb.ListInstallationsResponse) -> Page[Installation]:
    return page_from_wire(response.installations, response.next_page_token, installation_from_wire)
