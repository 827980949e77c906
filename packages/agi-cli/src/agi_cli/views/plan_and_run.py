"""A run beside the plan that it executed: when slots were done, and who ran elsewhere."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from rich.console import Group, RenderableType
from rich.text import Text

from agi_cli.views.grid import grid
from agi_cluster.model.plan import Plan, PlanSlot
from agi_cluster.model.run import PartitionState, Run, RunPartition, RunSlot
from agi_cluster.text import counted, duration, number, one_line

SLOTS, MOVED = 24, 10
"""How many of each are shown."""


def plan_and_run(run: Run, plan: Plan, partitions: Sequence[RunPartition]) -> RenderableType:
    """Predicted and actual finish, of the run and of each slot.

    A plan predicts in units of weight. Seconds are those by earlier runs of the app; where there
    are none, by the rate of this run itself, which then tells the balance only.
    """
    rate, by = _rate(run, plan)
    whole = len(_executed(partitions)) == plan.partition_count
    parts: list[RenderableType] = [
        Text(),
        Text(f"{plan.name}  digest {plan.digest[:12]}", style="bold"),
        Text(_verdict(run, plan, partitions)),
    ]
    if rate:
        ends = _ends(run, partitions)
        parts += [
            Text(_finish(plan, rate, by, ends if whole else {})),
            _slots(run, plan, rate, ends),
        ]
    return Group(*parts, *_moved(partitions, plan))


def _verdict(run: Run, plan: Plan, partitions: Sequence[RunPartition]) -> str:
    if run.plan_digest != plan.digest:
        return f"the run executed another plan: its digest is {run.plan_digest[:12]}"
    done, total = len(_executed(partitions)), plan.partition_count
    if done == total:
        return "the run executed exactly this plan"
    taken = sum(bool(each.inherited_from) for each in partitions)
    others = f", and took {number(taken)} over from an earlier run" if taken else ""
    verb, so_far = ("executed", "") if run.state.settled else ("has executed", " so far")
    return f"the run {verb} {number(done)} of the {counted(total, 'partition')}{so_far}{others}"


def _executed(partitions: Sequence[RunPartition]) -> list[RunPartition]:
    """The partitions that the run itself did."""
    done = (each for each in partitions if each.state is PartitionState.SUCCEEDED)
    return [each for each in done if not each.inherited_from]


def _rate(run: Run, plan: Plan) -> tuple[float, str]:
    """Weight that an executor of speed 1 does in a second, and how that is known."""
    if plan.weight_per_second:
        return plan.weight_per_second, "by earlier runs"
    busy = sum(slot.busy_seconds for slot in run.slots)
    return (sum(slot.weight for slot in run.slots) / busy if busy else 0.0), "by its own rate"


def _ends(run: Run, partitions: Sequence[RunPartition]) -> dict[int, float]:
    """Seconds from the first partition's begin until each slot was done."""
    done = [
        (each.slot, each.start_time.timestamp(), each.seconds)
        for each in _executed(partitions)
        if each.start_time is not None
    ]
    begin = min((start for _, start, _ in done), default=0.0)
    ends: dict[int, float] = {slot.index: 0.0 for slot in run.slots}
    for slot, start, seconds in done:
        ends[slot] = max(ends.get(slot, 0.0), start + seconds - begin)
    return ends


def _finish(plan: Plan, rate: float, by: str, ends: dict[int, float]) -> str:
    """What was predicted; where all of it was executed, beside what it came to."""
    predicted, actual = plan.predicted_finish / rate, max(ends.values(), default=0.0)
    if not ends:
        return f"predicted finish of the whole plan {duration(predicted)} {by}"
    off = f" ({(actual - predicted) / predicted:+.0%})" if predicted and actual else ""
    return f"predicted finish {duration(predicted)} {by}, actual {duration(actual)}{off}"


def _slots(run: Run, plan: Plan, rate: float, ends: dict[int, float]) -> RenderableType:
    names, done = plan.slot_names, {slot.index: slot for slot in run.slots}
    rows = [
        _row(slot, names[slot.index], done.get(slot.index), rate, ends)
        for slot in plan.slots[:SLOTS]
    ]
    columns = ("slot", "planned", "ran", "predicted", "actual", "")
    table = grid(columns, rows, right=columns[1:], may_go=("planned", ""))
    if len(plan.slots) <= SLOTS:
        return table
    return Group(table, Text(f"... and {counted(len(plan.slots) - SLOTS, 'slot')} more"))


def _row(
    slot: PlanSlot, name: str, done: RunSlot | None, rate: float, ends: dict[int, float]
) -> tuple[str, ...]:
    predicted, actual = slot.predicted_finish / rate, ends.get(slot.index, 0.0)
    ran = done.partitions if done else 0
    comparable = predicted and actual and ran >= slot.partition_count
    return (
        name,
        number(slot.partition_count),
        number(ran),
        duration(predicted),
        duration(actual),
        f"{(actual - predicted) / predicted:+.0%}" if comparable else "",
    )


def _moved(partitions: Sequence[RunPartition], plan: Plan) -> Iterator[RenderableType]:
    names = plan.slot_names
    elsewhere = [each for each in partitions if each.moved_because]
    if not elsewhere:
        if all(each.state is PartitionState.SUCCEEDED for each in partitions):
            yield Text("every partition ran where the plan has it")
        return
    rows = [
        (one_line(each.label, 60), names.get(each.slot, str(each.slot)), each.moved_because)
        for each in elsewhere[:MOVED]
    ]
    yield grid(
        (f"ran elsewhere: {len(elsewhere)}", "slot", "why"),
        rows,
        prose=(f"ran elsewhere: {len(elsewhere)}", "why"),
    )
    if len(elsewhere) > MOVED:
        yield Text(f"... and {len(elsewhere) - MOVED:,} more")
