"""``agi.v1.InstallationService``."""

from __future__ import annotations

from collections.abc import AsyncIterator

from agi_cluster.api.v1 import installations_pb2 as pb
from agi_cluster.api.v1 import installations_pb2_grpc
from agi_cluster.model.services import InstallationService
from agi_cluster.wire.installation import installation_to_wire, installation_update_to_wire
from agi_cluster.wire.name import resource_name
from agi_cluster.wire.requests import create_installation_from_wire
from agi_daemon.interceptors.surround import Context
from agi_daemon.servicers import fields
from agi_daemon.servicers.stream import packed

_COLLECTION = "installations"


class InstallationServicer(installations_pb2_grpc.InstallationServiceServicer):
    """Offers the installations of a core."""

    def __init__(self, installations: InstallationService) -> None:
        self._installations = installations

    async def CreateInstallation(
        self, request: pb.CreateInstallationRequest, context: Context
    ) -> pb.Installation:
        wanted = create_installation_from_wire(request)
        return installation_to_wire(
            await self._installations.create_installation(wanted, **fields.mutation(request))
        )

    async def GetInstallation(
        self, request: pb.GetInstallationRequest, context: Context
    ) -> pb.Installation:
        name = resource_name(_COLLECTION, request.name)
        return installation_to_wire(await self._installations.get_installation(name))

    async def ListInstallations(
        self, request: pb.ListInstallationsRequest, context: Context
    ) -> pb.ListInstallationsResponse:
        page = await self._installations.list_installations(app=request.app, **fields.page(request))
        return pb.ListInstallationsResponse(
            installations=[installation_to_wire(item) for item in page.items],
            next_page_token=page.next_page_token,
        )

    def WatchInstallation(
        self, request: pb.WatchInstallationRequest, context: Context
    ) -> AsyncIterator[pb.WatchInstallationResponse]:
        updates = self._installations.watch_installation(
            resource_name(_COLLECTION, request.name),
            after_sequence=fields.not_negative(request.after_sequence, "after_sequence"),
        )
        return packed(updates, lambda update: installation_update_to_wire(*update))
