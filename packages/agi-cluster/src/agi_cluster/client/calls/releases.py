"""The calls of ``ReleaseService``."""

from __future__ import annotations

from agi_cluster.api.v1 import releases_pb2 as pb
from agi_cluster.api.v1.releases_pb2_grpc import ReleaseServiceStub
from agi_cluster.client.call import Call, new_request_id
from agi_cluster.client.deadlines import Pace
from agi_cluster.model.page import Page
from agi_cluster.model.release import PruneReleases, Release, ReleasePruning
from agi_cluster.wire.message import checked
from agi_cluster.wire.name import resource_name
from agi_cluster.wire.page import page_from_wire
from agi_cluster.wire.release import (
    prune_releases_to_wire,
    release_from_wire,
    release_pruning_from_wire,
)


def list_releases(app: str, *, page_size: int = 0, page_token: str = "") -> Call[Page[Release]]:
    """A page of the kept releases of an app, the one that was installed last first."""
    request = checked(pb.ListReleasesRequest)(
        parent=resource_name("apps", app), page_size=page_size, page_token=page_token
    )
    return Call(stub=ReleaseServiceStub, rpc="ListReleases", request=request, parse=_page)


def prune_releases(
    request: PruneReleases, *, request_id: str = "", validate_only: bool = False
) -> Call[ReleasePruning]:
    """Remove what nothing needs from hosts and the manager, or say what would be removed."""
    message = prune_releases_to_wire(
        request, request_id=new_request_id(request_id), validate_only=validate_only
    )
    return Call(
        stub=ReleaseServiceStub,
        rpc="PruneReleases",
        request=message,
        parse=release_pruning_from_wire,
        pace=Pace.PLAN,
    )


def _page(response: pb.ListReleasesResponse) -> Page[Release]:
    return page_from_wire(response.releases, response.next_page_token, release_from_wire)
