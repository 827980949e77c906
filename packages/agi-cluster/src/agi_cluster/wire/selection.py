"""The hosts and slots that one call chooses."""

from __future__ import annotations

from agi_cluster.api.v1 import common_pb2
from agi_cluster.model.selection import Selection
from agi_cluster.wire.message import checked


def selection_to_wire(selection: Selection) -> common_pb2.Selection:
    """The selection as a message.

    Raises:
        RequestInvalidError: A count is larger than the wire can carry, 2**31 - 1.
    """
    return checked(common_pb2.Selection)(
        scheduler=selection.scheduler,
        workers=selection.workers,
        cores_per_slot=selection.cores_per_slot,
    )


def selection_from_wire(selection: common_pb2.Selection) -> Selection:
    """The selection in a message.

    Raises:
        SlotsInvalidError: A slot count is less than 1.
    """
    return Selection(
        scheduler=selection.scheduler,
        workers=dict(sorted(selection.workers.items())),  # on the wire a map has no order
        cores_per_slot=selection.cores_per_slot,
    )
