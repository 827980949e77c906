"""Runs as people see them: a report of one, tables of many and of their partitions."""

from __future__ import annotations

from rich.console import Group, RenderableType
from rich.text import Text

from agi_cli.listing import Listing
from agi_cli.views.data import data_view
from agi_cli.views.grid import STATE_STYLES, Cell, facts, grid, listed, path, state
from agi_cluster.model.run import PartitionState, Run, RunPartition, RunSlot
from agi_cluster.text import bar, duration, moment, number, one_line

SLOTS, SLOWEST, FAILED, TRACEBACKS, TRACEBACK_LINES = 16, 3, 10, 2, 20
"""How many of each a report shows."""


def run_report(
    run: Run, partitions: tuple[RunPartition, ...], *, error_follows: bool = False
) -> RenderableType:
    """One run: how it stands, what each slot did, what was slow, what failed, what came out.

    Args:
        run: The run.
        partitions: What is known of its partitions.
        error_follows: Whether its error is said below, and so not here.
    """
    error = str(run.error) if run.error and not error_follows else ""
    parts: list[RenderableType] = [_headline(run), _facts(run, error)]
    if run.slots:
        parts += [Text(), _slots(run), *_losses(run)]
    slowest = _slowest(partitions)
    if slowest:
        parts += [Text(), slowest]
    parts += _failures(partitions) or _own_traceback(run)
    if run.result is not None:
        parts += [Text(), data_view(run.result)]
    return Group(*parts)


def run_table(runs: Listing[Run], *, filtered: bool = False) -> RenderableType:
    """The runs, newest first; of all, or of those that were asked for."""
    columns = ("run", "app", "mode", "state", "done", "accepted", "took", "waits for")
    rows = [
        (
            run.id,
            run.app,
            str(int(run.mode)),
            state(run.state.value),
            f"{run.progress.succeeded}/{run.progress.total}",
            moment(run.create_time),
            _span(run),
            one_line(run.waiting_for),
        )
        for run in runs.items
    ]
    table = grid(
        columns,
        rows,
        right=("mode", "done", "took"),
        prose=("waits for",),
        moments=("accepted",),
        may_go=("app", "mode", "took", "accepted", "done"),
    )
    empty = "no run matches" if filtered else "no runs: `agi run APP` starts one"
    return listed(table, empty, more=runs.more)


def partition_table(partitions: Listing[RunPartition], *, settled: bool = False) -> RenderableType:
    """The partitions of a run; there are none before it is planned."""
    columns = ("partition", "label", "state", "slot", "attempts", "weight", "seconds", "cpu")
    rows = [
        (
            one_line(p.id),
            one_line(p.label),
            state(p.state.value),
            str(p.slot),
            str(p.attempts),
            number(p.weight),
            f"{p.seconds:.3f}",
            f"{p.cpu_seconds:.3f}",
        )
        for p in partitions.items
    ]
    table = grid(
        columns,
        rows,
        right=("slot", "attempts", "weight", "seconds", "cpu"),
        prose=("label",),
        may_go=("weight", "cpu", "attempts", "label", "slot", "seconds"),
    )
    empty = "it ended without any partitions" if settled else "no partitions yet"
    return listed(table, empty, more=partitions.more)


def _headline(run: Run) -> Text:
    line = Text(f"{run.app}  ")
    line.append(run.state.value, style=STATE_STYLES.get(run.state.value, "cyan"))
    spent = _span(run)
    return line.append(f"  mode {run.mode.words}{f'  in {spent}' if spent else ''}")


def _facts(run: Run, error: str) -> RenderableType:
    return facts(
        [
            ("run", run.id),
            ("partitions", _counts(run)),
            ("retry of", run.retry_of),
            ("waits for", run.waiting_for),
            ("plan", run.plan),
            ("installed", run.installed),
            ("started", f"{run.epoch} times" if run.epoch > 1 else ""),
            ("results", path(run.paths.published)),
            ("kept", path(run.paths.kept)),
            ("error", Text(error, style="red")),
            ("runner", Text(run.runner_lost.message if run.runner_lost else "", style="yellow")),
            ("not cleared", Text(", ".join(run.uncleared_hosts), style="yellow")),
            *(("warning", Text(warning, style="yellow")) for warning in run.warnings),
        ]
    )


def _losses(run: Run) -> list[RenderableType]:
    """Why slots were without their workers."""
    lost = [slot for slot in run.slots if slot.lost]
    if not lost:
        return []
    rows = [
        (str(s.index), s.host, s.lost.kind, one_line(s.lost.message, 120))
        for s in lost[:SLOTS]
        if s.lost
    ]
    return [
        Text(),
        grid(("lost slot", "host", "cause", ""), rows, right=("lost slot",), prose=("",)),
    ]


def _counts(run: Run) -> str:
    progress = run.progress
    if not progress.total:
        return ""
    failed = f", {number(progress.failed)} failed" if progress.failed else ""
    return f"{number(progress.succeeded)} of {number(progress.total)} succeeded{failed}"


def _slots(run: Run) -> RenderableType:
    most = max(slot.busy_seconds for slot in run.slots)
    rows = [_slot_row(slot, most) for slot in run.slots[:SLOTS]]
    columns = ("slot", "host", "cores", "partitions", "busy", "cpu", "")
    table = grid(
        columns,
        rows,
        right=("slot", "cores", "partitions", "busy", "cpu"),
        may_go=("", "cores", "cpu"),
    )
    if len(run.slots) > SLOTS:
        return Group(table, Text(f"... and {len(run.slots) - SLOTS} more slots"))
    return table


def _slot_row(slot: RunSlot, most: float) -> tuple[Cell, ...]:
    return (
        str(slot.index),
        slot.host,
        str(slot.cores),
        number(slot.partitions),
        duration(slot.busy_seconds),
        duration(slot.cpu_seconds),
        Text(bar(slot.busy_seconds / most if most else 0.0), style="cyan"),
    )


def _slowest(partitions: tuple[RunPartition, ...]) -> RenderableType | None:
    done = [p for p in partitions if p.state is PartitionState.SUCCEEDED]
    slowest = sorted(done, key=lambda p: -p.seconds)[:SLOWEST]
    if len(done) <= SLOWEST:
        return None
    rows = [
        (one_line(p.label, 60), str(p.slot), duration(p.seconds), duration(p.cpu_seconds))
        for p in slowest
    ]
    return grid(
        ("slowest partitions", "slot", "took", "cpu"),
        rows,
        right=("slot", "took", "cpu"),
        prose=("slowest partitions",),
    )


def _failures(partitions: tuple[RunPartition, ...]) -> list[RenderableType]:
    failed = [p for p in partitions if p.state is PartitionState.FAILED]
    if not failed:
        return []
    rows = [
        (
            one_line(p.label, 60),
            str(p.slot),
            str(p.attempts),
            p.cause.kind if p.cause else "",
            one_line(p.error.what if p.error else "", 300),
        )
        for p in failed[:FAILED]
    ]
    columns = ("failed partitions", "slot", "attempts", "cause", "why")
    table = grid(
        columns,
        rows,
        right=("slot", "attempts"),
        prose=("failed partitions", "why"),
        may_go=("attempts", "slot"),
    )
    parts: list[RenderableType] = [Text(), table]
    if len(failed) > FAILED:
        parts.append(Text(f"... and {len(failed) - FAILED:,} more failed partitions"))
    for partition in [p for p in failed if p.traceback][:TRACEBACKS]:
        name = Text(f"{one_line(partition.label, 60)}:")
        parts += [Text(), name, _traceback(partition.traceback)]
    for partition in [p for p in failed if not p.traceback and _tail(p)][:TRACEBACKS]:
        parts += [Text(), Text(f"{one_line(partition.label, 60)} said last:")]
        parts.append(_traceback(_tail(partition)))
    return parts


def _tail(partition: RunPartition) -> str:
    return partition.cause.log_tail if partition.cause else ""


def _own_traceback(run: Run) -> list[RenderableType]:
    """The traceback of an app that failed outside of its partitions."""
    trace = run.error.metadata.get("traceback", "") if run.error else ""
    return [Text(), _traceback(trace)] if trace else []


def _traceback(trace: str) -> Text:
    lines = trace.rstrip().splitlines()
    cut = ["  ..."] if len(lines) > TRACEBACK_LINES else []
    shown = [*cut, *lines[-TRACEBACK_LINES:]]
    return Text("\n".join(f"  {line}" for line in shown), style="dim")


def _span(run: Run) -> str:
    return duration((run.end_time - run.create_time).total_seconds()) if run.end_time else ""
