"""Plans as people see them: a tree of hosts, slots and partitions."""

from __future__ import annotations

from itertools import groupby

from rich.console import Group, RenderableType
from rich.text import Text
from rich.tree import Tree

from agi_cli.listing import Listing
from agi_cli.views.grid import grid, listed
from agi_cli.views.load_chart import load_chart
from agi_cli.views.plan_changes import finding_lines, finish_line
from agi_cluster.model.plan import Plan, PlannedPartition, PlanSlot
from agi_cluster.text import bar, counted, cut, duration, moment, number, one_line, percent

HOSTS, SLOTS, PARTITIONS = 24, 16, 8
"""How many are shown of the hosts, of a host's slots and of a slot's partitions."""

TREE = 64
"""Slots up to which a plan is shown as a tree; one of more as a chart and a line for each host."""

PARTITIONS_SHOWN = 5000
"""Partitions up to which those of each slot are shown."""


def plan_view(
    plan: Plan, partitions: tuple[PlannedPartition, ...], *, whole: bool = False
) -> RenderableType:
    """A plan as a tree; long branches are cut unless the whole of it is asked for."""
    if whole or len(plan.slots) <= TREE:
        body: RenderableType = _tree(plan, partitions, whole=whole)
    else:
        body = Group(_hosts(plan), Text(), load_chart(plan))
    return Group(*_head(plan), body, *finding_lines(plan.findings))


def what_if_view(now: Plan, then: Plan) -> RenderableType:
    """The plan that there would be, beside the one as it is; neither is kept."""
    seconds = then.predicted_seconds
    about = "" if seconds is None else f", about {duration(seconds)} by earlier runs"
    return Group(
        Text(f"{then.app}  mode {then.mode.words}  nothing was kept", style="bold"),
        Text(f"{finish_line(now.predicted_finish, then.predicted_finish)}{about}"),
        Text(),
        load_chart(then),
        *finding_lines(then.findings),
    )


def plan_table(plans: Listing[Plan], *, filtered: bool = False) -> RenderableType:
    """The plans, newest first; of all, or of those that were asked for."""
    columns = ("plan", "app", "mode", "partitions", "slots", "finish", "made")
    rows = [
        (
            plan.name,
            plan.app,
            str(int(plan.mode)),
            number(plan.partition_count),
            number(plan.slot_count or len(plan.slots)),
            number(plan.predicted_finish),
            moment(plan.create_time),
        )
        for plan in plans.items
    ]
    table = grid(
        columns,
        rows,
        right=("mode", "partitions", "slots", "finish"),
        moments=("made",),
        may_go=("app", "mode", "slots", "made", "partitions"),
    )
    empty = "no plan matches" if filtered else "no plans: `agi distribute APP` makes one"
    return listed(table, empty, more=plans.more)


def planned_table(partitions: Listing[PlannedPartition]) -> RenderableType:
    """The partitions of a plan."""
    columns = ("partition", "label", "weight", "slot", "host", "")
    rows = [
        (
            one_line(p.id),
            one_line(p.label),
            number(p.weight),
            str(p.slot),
            p.host,
            "pinned" if p.pinned else "",
        )
        for p in partitions.items
    ]
    table = grid(
        columns,
        rows,
        right=("weight", "slot"),
        prose=("label",),
        may_go=("label", "host", "weight"),
    )
    return listed(table, "no partitions", more=partitions.more)


def _head(plan: Plan) -> list[Text]:
    over = plan.predicted_finish / plan.lower_bound - 1 if plan.lower_bound > 0 else 0.0
    best = "the best possible"
    bound = f", {percent(over)} over {best}" if over >= 0.005 else f", {best}"
    bound = bound if plan.partition_count else ""
    return [
        Text(f"{plan.app}  {plan.name}  mode {plan.mode.words}", style="bold"),
        Text(
            f"{counted(plan.partition_count, 'partition')} of weight {number(plan.total_weight)}"
            f" on {counted(len(plan.slots), 'slot')}:"
            f" predicted finish {number(plan.predicted_finish)}{_seconds(plan)}{bound}"
        ),
    ]


def _seconds(plan: Plan) -> str:
    seconds = plan.predicted_seconds
    return "" if seconds is None else f", about {duration(seconds)} by earlier runs"


def _hosts(plan: Plan) -> RenderableType:
    """A line for each host, the latest first."""
    by_host: dict[str, list[PlanSlot]] = {}
    for slot in plan.slots:
        by_host.setdefault(slot.host, []).append(slot)
    latest_first = sorted(by_host.items(), key=lambda item: -_finish(item[1]))
    rows = [
        (
            _host(plan, host),
            number(len(slots)),
            number(sum(slot.partition_count for slot in slots)),
            number(sum(slot.load for slot in slots)),
            number(_finish(slots)),
        )
        for host, slots in latest_first
    ]
    columns = ("host", "slots", "partitions", "load", "finish")
    table = grid(columns, rows[:HOSTS], right=columns[1:])
    if len(rows) <= HOSTS:
        return table
    more = f"... and {len(rows) - HOSTS:,} more hosts that are done earlier; --all shows them"
    return Group(table, Text(more))


def _finish(slots: list[PlanSlot]) -> float:
    return max(slot.predicted_finish for slot in slots)


def _tree(plan: Plan, partitions: tuple[PlannedPartition, ...], *, whole: bool) -> Tree:
    placed: dict[int, list[str]] = {}
    for partition in partitions:
        pin = "  pinned" if partition.pinned else ""
        line = f"{one_line(partition.label, 60)}  {number(partition.weight)}{pin}"
        placed.setdefault(partition.slot, []).append(line)
    tree = Tree("hosts", hide_root=True)
    slots = sorted(plan.slots, key=lambda slot: (slot.host, slot.index))
    for host, own in groupby(slots, key=lambda slot: slot.host):
        branch = tree.add(Text(_host(plan, host), style="bold"))
        _add_slots(branch, plan, list(own), placed, whole=whole)
    return tree


def _host(plan: Plan, host: str) -> str:
    return f"{host} (scheduler)" if host == plan.scheduler.partition(":")[0] else host


def _add_slots(
    branch: Tree, plan: Plan, slots: list[PlanSlot], placed: dict[int, list[str]], *, whole: bool
) -> None:
    shown = slots if whole or len(slots) <= SLOTS + 1 else slots[:SLOTS]
    for slot in shown:
        lines = placed.get(slot.index, [])
        leaf = branch.add(_slot(plan, slot))
        for line in lines if whole else cut(lines, PARTITIONS, "partitions"):
            leaf.add(Text(line))
    if len(shown) < len(slots):
        branch.add(Text(f"... and {len(slots) - len(shown)} more slots"))


def _speed(slot: PlanSlot) -> str:
    return f", speed {number(slot.speed)} of {slot.timings:,} timings" if slot.timings else ""


def _slot(plan: Plan, slot: PlanSlot) -> Text:
    share = slot.load / plan.total_weight if plan.total_weight else 0.0
    longest = slot.predicted_finish / plan.predicted_finish if plan.predicted_finish else 0.0
    line = Text(
        f"slot {slot.index}: {counted(slot.partition_count, 'partition')},"
        f" load {number(slot.load)} ({percent(share)}),"
        f" finish {number(slot.predicted_finish)}, {counted(slot.cores, 'core')}{_speed(slot)}  "
    )
    return line.append(bar(longest), style="cyan")
