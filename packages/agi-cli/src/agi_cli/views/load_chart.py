"""The loads of a plan's slots as a chart that stays readable, however many there are."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence

from rich.console import Group, RenderableType
from rich.text import Text

from agi_cli.views.grid import Cell, grid
from agi_cluster.model.plan import Plan, PlanSlot
from agi_cluster.text import bar, counted, number

BARS = 24
"""Slots up to which each has a bar of its own."""

BINS = 10
EXTREMES = 3
"""Rows of the chart of more of them, and the latest and earliest slots that are named."""


def load_chart(plan: Plan) -> RenderableType:
    """When each slot is done, or how many are done when."""
    if not plan.slots:
        return Text("no slots")
    if len(plan.slots) <= BARS:
        return _bars(plan, plan.slots)
    ordered = sorted(plan.slots, key=lambda slot: slot.predicted_finish)
    return Group(
        _histogram(ordered),
        Text(f"the first and the last of {counted(len(ordered), 'slot')}:"),
        _bars(plan, [*ordered[:EXTREMES], *ordered[-EXTREMES:]]),
    )


def _bars(plan: Plan, slots: Sequence[PlanSlot]) -> RenderableType:
    names, last = plan.slot_names, plan.predicted_finish
    known = any(slot.timings for slot in plan.slots)
    rows: Iterable[Sequence[Cell]] = [
        (
            names[slot.index],
            *((_speed(slot),) if known else ()),
            number(slot.partition_count),
            number(slot.load),
            number(slot.predicted_finish),
            Text(bar(slot.predicted_finish / last if last else 0.0), style="cyan"),
        )
        for slot in slots
    ]
    columns = ("slot", *(("speed",) if known else ()), "partitions", "load", "finish", "")
    return grid(
        columns, rows, right=("speed", "partitions", "load", "finish"), may_go=("", "speed", "load")
    )


def _speed(slot: PlanSlot) -> str:
    return f"{number(slot.speed)} of {slot.timings:,} timings" if slot.timings else "unknown"


def _histogram(ordered: Sequence[PlanSlot]) -> RenderableType:
    low, high = ordered[0].predicted_finish, ordered[-1].predicted_finish
    width = (high - low) / BINS or 1.0
    bins = Counter(min(int((slot.predicted_finish - low) / width), BINS - 1) for slot in ordered)
    most = max(bins.values())
    rows = [
        (
            f"{number(low + place * width)} to {number(low + (place + 1) * width)}",
            number(count),
            Text(bar(count / most), style="cyan"),
        )
        for place, count in sorted(bins.items())
    ]
    return grid(("finish", "slots", ""), rows, right=("finish", "slots"), may_go=("",))
