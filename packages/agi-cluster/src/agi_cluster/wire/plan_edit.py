"""Changes of plans."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from agi_cluster.api.v1 import plans_pb2 as pb
from agi_cluster.model.plan_edit import Move, Pin, PlanEdit, Rebalance, Swap, Undo, Unpin
from agi_cluster.wire.message import checked
from agi_env.errors import RequestInvalidError


def edits_to_wire(edits: Sequence[PlanEdit]) -> list[pb.PlanEdit]:
    """The edits as messages.

    Raises:
        RequestInvalidError: An id is not Unicode, or a number is out of range.
    """
    return [_to_wire(edit) for edit in edits]


def edits_from_wire(edits: Sequence[pb.PlanEdit]) -> tuple[PlanEdit, ...]:
    """The edits in messages.

    Raises:
        RequestInvalidError: There is none, or one says nothing.
    """
    if not edits:
        raise RequestInvalidError("no edit is given", where="edits", remedy="Give one at least")
    return tuple(_from_wire(edit) for edit in edits)


def _to_wire(edit: PlanEdit) -> pb.PlanEdit:
    match edit:
        case Move():
            move = checked(pb.MovePartitions)(partitions=edit.partitions, slot=edit.slot)
            return pb.PlanEdit(move=move)
        case Swap():
            swap = checked(pb.SwapPartitions)(first=edit.first, second=edit.second)
            return pb.PlanEdit(swap=swap)
        case Pin():
            return pb.PlanEdit(pin=checked(pb.PinPartitions)(partitions=edit.partitions))
        case Unpin():
            return pb.PlanEdit(unpin=checked(pb.UnpinPartitions)(partitions=edit.partitions))
        case Rebalance():
            return pb.PlanEdit(rebalance=checked(pb.RebalancePlan)(without=edit.without))
        case Undo():
            return pb.PlanEdit(undo=checked(pb.UndoPlan)(revision=edit.revision))


_READERS: dict[str, Callable[[Any], PlanEdit]] = {
    "move": lambda edit: Move(partitions=tuple(edit.partitions), slot=edit.slot),
    "swap": lambda edit: Swap(first=edit.first, second=edit.second),
    "pin": lambda edit: Pin(partitions=tuple(edit.partitions)),
    "unpin": lambda edit: Unpin(partitions=tuple(edit.partitions)),
    "rebalance": lambda edit: Rebalance(without=tuple(edit.without)),
    "undo": lambda edit: Undo(revision=edit.revision),
}


def _from_wire(edit: pb.PlanEdit) -> PlanEdit:
    kind = edit.WhichOneof("operation")
    if kind is None:
        raise RequestInvalidError("an edit says nothing", where="edits")
    return _READERS[kind](getattr(edit, kind))
