"""A plan as text: slots as headings, a line for each partition."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence

from agi_cluster.model.plan import Plan, PlannedPartition, PlanSlot
from agi_cluster.text import counted, number, one_line

PIN = "*"
REMARK = "  # "
"""What comes after it in a line is for people."""

_PLAIN = re.compile(r"[A-Za-z0-9_.:/@+=,-]+")

_HEAD = """\
# {app}  {name}  mode {mode}
# {count} on {slots}, predicted finish {finish}
#
# Move a line under another [slot] to move its partition. A "*" before an id pins it to its slot.
# A line that you remove leaves its partition where it is. What follows "  # " is not read.
# Save and leave the editor to apply it; leave the text as it is, and nothing happens.
"""


def written(plan: Plan, partitions: Iterable[PlannedPartition], slots: Sequence[int] = ()) -> str:
    """The text of a plan.

    Args:
        plan: The revision.
        partitions: What is to be edited of it.
        slots: The slots whose partitions these are; empty: all.
    """
    placed: dict[int, list[PlannedPartition]] = {}
    for partition in partitions:
        placed.setdefault(partition.slot, []).append(partition)
    return "\n".join([_head(plan), *_slots(plan, placed, slots)])


def quoted(name: str) -> str:
    """An id as it stands in a line: as it is if it is plain, else as JSON text."""
    return name if _PLAIN.fullmatch(name) else json.dumps(name)


def _head(plan: Plan) -> str:
    head = _HEAD.format(
        app=plan.app,
        name=plan.name,
        mode=plan.mode.words,
        count=counted(plan.partition_count, "partition"),
        slots=counted(len(plan.slots), "slot"),
        finish=number(plan.predicted_finish),
    )
    return f"{head}\netag {plan.etag}\n"


def _slots(
    plan: Plan, placed: Mapping[int, list[PlannedPartition]], chosen: Sequence[int]
) -> Iterator[str]:
    names = plan.slot_names
    for slot in plan.slots:
        yield f"[{names[slot.index]}]{REMARK}{_summary(slot)}"
        yield from (_line(partition) for partition in placed.get(slot.index, ()))
        if chosen and slot.index not in chosen and slot.partition_count:
            yield f"# ... {counted(slot.partition_count, 'partition')} not shown; they stay"
        yield ""


def _summary(slot: PlanSlot) -> str:
    finish = number(slot.predicted_finish)
    return f"slot {slot.index}: load {number(slot.load)}, finish {finish}"


def _line(partition: PlannedPartition) -> str:
    mark = PIN if partition.pinned else " "
    label = "" if partition.label == partition.id else f"  {one_line(partition.label, 60)}"
    return f"{mark} {quoted(partition.id)}{REMARK}{number(partition.weight)}{label}"
