"""The calls of ``ModeService``."""

from __future__ import annotations

from agi_cluster.api.v1 import modes_pb2 as pb
from agi_cluster.api.v1.modes_pb2_grpc import ModeServiceStub
from agi_cluster.client.call import Call
from agi_cluster.client.deadlines import Pace
from agi_cluster.model.modes import AppModes
from agi_cluster.model.selection import Selection
from agi_cluster.wire.message import checked
from agi_cluster.wire.modes import modes_from_wire
from agi_cluster.wire.selection import selection_to_wire


def get_modes(app: str, selection: Selection = Selection()) -> Call[AppModes]:
    """What each mode of an app comes to on each of its hosts."""
    request = checked(pb.GetModesRequest)(name=app, selection=selection_to_wire(selection))
    return Call(
        stub=ModeServiceStub,
        rpc="GetModes",
        request=request,
        parse=modes_from_wire,
        pace=Pace.CHANGE,
    )
