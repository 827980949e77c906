"""``agi.v1.ReleaseService``."""

from __future__ import annotations

from agi_cluster.api.v1 import releases_pb2 as pb
from agi_cluster.api.v1 import releases_pb2_grpc
from agi_cluster.model.services import ReleaseService
from agi_cluster.wire.name import app_reference
from agi_cluster.wire.release import (
    prune_releases_from_wire,
    release_pruning_to_wire,
    release_to_wire,
)
from agi_daemon.interceptors.surround import Context
from agi_daemon.servicers import fields


class ReleaseServicer(releases_pb2_grpc.ReleaseServiceServicer):
    """Offers the releases of a core."""

    def __init__(self, releases: ReleaseService) -> None:
        self._releases = releases

    async def ListReleases(
        self, request: pb.ListReleasesRequest, context: Context
    ) -> pb.ListReleasesResponse:
        app = app_reference(fields.required(request.parent, "parent"))
        page = await self._releases.list_releases(app, **fields.page(request))
        return pb.ListReleasesResponse(
            releases=[release_to_wire(item) for item in page.items],
            next_page_token=page.next_page_token,
        )

    async def PruneReleases(
        self, request: pb.PruneReleasesRequest, context: Context
    ) -> pb.ReleasePruning:
        fields.not_negative(request.keep, "keep")
        fields.seconds(request, "unused_days")
        wanted = prune_releases_from_wire(request)
        return release_pruning_to_wire(
            await self._releases.prune_releases(wanted, **fields.mutation(request))
        )
