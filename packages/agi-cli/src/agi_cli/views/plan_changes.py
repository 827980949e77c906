"""What changes a plan as people see it: revisions, differences, findings."""

from __future__ import annotations

from collections.abc import Iterator

from rich.console import Group, RenderableType
from rich.text import Text

from agi_cli.listing import Listing
from agi_cli.views.grid import grid, listed
from agi_cli.views.load_chart import load_chart
from agi_cluster.model.plan import Plan, PlanFinding
from agi_cluster.model.plan_diff import MovedPartition, PlanDiff
from agi_cluster.text import counted, moment, number, one_line


def revised_view(old: Plan, new: Plan, diff: PlanDiff | None) -> RenderableType:
    """What an edit made of a plan: its finish before and after, what was moved, its loads."""
    parts: list[RenderableType] = [
        Text(f"{new.name}  {new.change}", style="bold"),
        Text(finish_line(old.predicted_finish, new.predicted_finish)),
    ]
    if diff is not None and diff:
        parts += [Text(), *_difference(diff)]
    parts += [Text(), load_chart(new)]
    return Group(*parts, *finding_lines(new.findings))


def diff_view(diff: PlanDiff) -> RenderableType:
    """What a later revision has otherwise than an earlier one."""
    head = Text(f"{diff.before} → {diff.after}", style="bold")
    if not diff:
        return Group(head, Text("no difference"))
    return Group(head, Text(finish_line(diff.finish_before, diff.finish_after)), *_difference(diff))


def revision_table(revisions: Listing[Plan]) -> RenderableType:
    """The revisions of a plan, newest first."""
    columns = ("revision", "finish", "pinned", "made", "change")
    rows = [
        (
            str(plan.revision),
            number(plan.predicted_finish),
            number(plan.pinned_count),
            moment(plan.create_time),
            one_line(plan.change),
        )
        for plan in revisions.items
    ]
    table = grid(
        columns,
        rows,
        right=("revision", "finish", "pinned"),
        prose=("change",),
        moments=("made",),
        may_go=("pinned", "finish"),
    )
    return listed(table, "no revisions", more=revisions.more)


def findings_view(findings: Listing[PlanFinding]) -> RenderableType:
    """What is doubtful, or that nothing is."""
    lines = finding_lines(findings.items)
    return Group(*lines) if lines else Text("nothing is doubtful")


def finding_lines(findings: tuple[PlanFinding, ...]) -> list[Text]:
    """A line for each finding."""
    return [
        Text(f"{each.code}: {each.message}. {each.suggestion}".rstrip(". "), style="yellow")
        for each in findings
    ]


def finish_line(before: float, after: float) -> str:
    """A finish and what became of it."""
    if before == after:
        return f"predicted finish {number(after)}, as before"
    change = f" ({(after - before) / before:+.0%})" if before else ""
    return f"predicted finish {number(after)} instead of {number(before)}{change}"


def _difference(diff: PlanDiff) -> Iterator[RenderableType]:
    if diff.moved:
        rows = [_moved(each) for each in diff.moved]
        yield grid(("partition", "weight", "from", "to", ""), rows, right=("weight",))
    hidden = diff.moved_count - len(diff.moved)
    if hidden:
        yield Text(f"... and {counted(hidden, 'moved partition')} more")
    if diff.reweighted:
        weights = [
            (one_line(each.id), number(each.before), number(each.after)) for each in diff.reweighted
        ]
        yield grid(("partition", "weight", "now"), weights, right=("weight", "now"))
    yield from _names("added", diff.added, diff.added_count)
    yield from _names("removed", diff.removed, diff.removed_count)


def _moved(each: MovedPartition) -> tuple[str, ...]:
    pin = "" if each.pinned_before == each.pinned_after else "unpinned"
    pin = "pinned" if each.pinned_after else pin
    target = each.after if each.after != each.before else ""
    return (one_line(each.id), number(each.weight), each.before, target, pin)


def _names(what: str, names: tuple[str, ...], count: int) -> Iterator[Text]:
    if count:
        more = f" and {count - len(names):,} more" if count > len(names) else ""
        yield Text(f"{what}: {', '.join(one_line(name) for name in names)}{more}")
