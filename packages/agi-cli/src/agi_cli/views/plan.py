"""Plans as people see them: a tree of hosts, slots and partitions."""

from __future__ import annotations

from itertools import groupby

from rich.console import Group, RenderableType
from rich.text import Text
from rich.tree import Tree

from agi_cli.listing import Listing
from agi_cli.views.grid import grid, listed
from agi_cluster.model.plan import Plan, PlannedPartition, PlanSlot
from agi_cluster.text import bar, counted, cut, moment, number, one_line, percent

SLOTS, PARTITIONS = 16, 8
"""How many are shown of a host's slots and of a slot's partitions."""


def plan_view(
    plan: Plan, partitions: tuple[PlannedPartition, ...], *, whole: bool = False
) -> RenderableType:
    """A plan as a tree; long branches are cut unless the whole of it is asked for."""
    return Group(*_head(plan), _tree(plan, partitions, whole=whole), *_findings(plan))


def plan_table(plans: Listing[Plan]) -> RenderableType:
    """The plans, newest first."""
    columns = ("plan", "app", "mode", "partitions", "slots", "predicted finish", "made")
    rows = [
        (
            plan.name,
            plan.app,
            str(int(plan.mode)),
            number(plan.partition_count),
            number(len(plan.slots)),
            number(plan.predicted_finish),
            moment(plan.create_time),
        )
        for plan in plans.items
    ]
    table = grid(columns, rows, right=("mode", "partitions", "slots", "predicted finish"))
    return listed(table, "no plans yet: `agi distribute APP` makes one", more=plans.more)


def planned_table(partitions: Listing[PlannedPartition]) -> RenderableType:
    """The partitions of a plan."""
    columns = ("partition", "label", "weight", "slot", "host")
    rows = [
        (one_line(p.id), one_line(p.label), number(p.weight), str(p.slot), p.host)
        for p in partitions.items
    ]
    table = grid(columns, rows, right=("weight", "slot"))
    return listed(table, "no partitions", more=partitions.more)


def _head(plan: Plan) -> list[Text]:
    over = plan.predicted_finish / plan.lower_bound - 1 if plan.lower_bound > 0 else 0.0
    best = "the best possible"
    bound = f", {percent(over)} over {best}" if over >= 0.005 else f", {best}"
    return [
        Text(f"{plan.app}  {plan.name}  mode {plan.mode.words}", style="bold"),
        Text(
            f"{counted(plan.partition_count, 'partition')} of weight {number(plan.total_weight)}"
            f" on {counted(len(plan.slots), 'slot')}:"
            f" predicted finish {number(plan.predicted_finish)}{bound}"
        ),
    ]


def _tree(plan: Plan, partitions: tuple[PlannedPartition, ...], *, whole: bool) -> Tree:
    placed: dict[int, list[str]] = {}
    for partition in partitions:
        line = f"{one_line(partition.label, 60)}  {number(partition.weight)}"
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


def _slot(plan: Plan, slot: PlanSlot) -> Text:
    share = slot.load / plan.total_weight if plan.total_weight else 0.0
    longest = slot.predicted_finish / plan.predicted_finish if plan.predicted_finish else 0.0
    line = Text(
        f"slot {slot.index}: {counted(slot.partition_count, 'partition')},"
        f" load {number(slot.load)} ({percent(share)}),"
        f" finish {number(slot.predicted_finish)}, {counted(slot.cores, 'core')}  "
    )
    return line.append(bar(longest), style="cyan")


def _findings(plan: Plan) -> list[Text]:
    return [
        Text(f"{each.code}: {each.message}. {each.suggestion}".rstrip(". "), style="yellow")
        for each in plan.findings
    ]
