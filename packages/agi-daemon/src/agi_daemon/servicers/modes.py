"""``agi.v1.ModeService``."""

from __future__ import annotations

from agi_cluster.api.v1 import modes_pb2 as pb
from agi_cluster.api.v1 import modes_pb2_grpc
from agi_cluster.model.services import ModeService
from agi_cluster.wire.modes import modes_to_wire
from agi_cluster.wire.name import app_reference
from agi_cluster.wire.selection import selection_from_wire
from agi_daemon.interceptors.surround import Context


class ModeServicer(modes_pb2_grpc.ModeServiceServicer):
    """Offers the modes of a core."""

    def __init__(self, modes: ModeService) -> None:
        self._modes = modes

    async def GetModes(self, request: pb.GetModesRequest, context: Context) -> pb.AppModes:
        app = app_reference(request.name).removesuffix("/modes")
        return modes_to_wire(
            await self._modes.get_modes(app, selection_from_wire(request.selection))
        )
