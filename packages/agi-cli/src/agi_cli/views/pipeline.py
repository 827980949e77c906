"""Pipelines as people see them: the steps as a tree, an execution, the history, a comparison."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from rich.console import Group, RenderableType
from rich.text import Text

from agi_cli.listing import Listing
from agi_cli.views.grid import STATE_STYLES, Cell, facts, grid, listed, path, state
from agi_cli.views.headed_tree import HeadedTree
from agi_cluster.model.pipeline import Pipeline, PipelineStep, StepState
from agi_cluster.model.pipeline_run import PipelineRun, StepExecution
from agi_cluster.pipeline_comparison import Difference
from agi_cluster.text import byte_count, duration, moment, one_line

_TAIL_LINES = 20


def pipeline_tree(pipeline: Pipeline) -> RenderableType:
    """The steps in their order, each with its state and what has changed since."""
    words = "one after another" if pipeline.serial else "by their dependencies"
    tree = HeadedTree(f"{pipeline.module}  {pipeline.file}  {words}")
    for step in pipeline.steps:
        branch = tree.add(_step_line(step))
        for line in _step_facts(step):
            branch.add(line)
    if not pipeline.steps:
        tree.add(Text("no steps yet: `agi pipeline add SCRIPT` adds one"))
    if pipeline.latest_run:
        return Group(tree, facts([("latest", f"pipelineRuns/{pipeline.latest_run}")]))
    return tree


def pipeline_run_report(run: PipelineRun) -> RenderableType:
    """One execution: each step, what it made, what failed and why."""
    head = Text(f"{run.module}  ")
    head.append(run.state.value, style=STATE_STYLES.get(run.state.value, "cyan"))
    head.append(f"  in {_span(run)}" if run.end_time else "")
    named = facts(
        [
            ("execution", run.id),
            ("file", path(run.file)),
            ("follows", run.origin),
            ("error", Text(str(run.error) if run.error else "", style="red")),
            *(("warning", Text(warning, style="yellow")) for warning in run.warnings),
        ]
    )
    columns = ("step", "state", "attempt", "took", "exit", "made", "")
    table = grid(
        columns,
        map(_row, run.steps),
        right=("attempt", "took", "exit"),
        prose=("made", ""),
        may_go=("attempt", "exit", "took"),
    )
    return Group(head, named, Text(), table, *_outputs(run.steps), *_tails(run.steps))


def history_table(runs: Listing[PipelineRun]) -> RenderableType:
    """The executions, newest first."""
    columns = ("execution", "module", "state", "steps", "accepted", "took", "follows")
    rows = [
        (
            run.id,
            run.module,
            state(run.state.value),
            _counts(run),
            moment(run.create_time),
            _span(run),
            run.origin,
        )
        for run in runs.items
    ]
    table = grid(
        columns,
        rows,
        right=("steps", "took"),
        moments=("accepted",),
        may_go=("module", "follows", "took", "accepted", "steps"),
    )
    empty = "no executions yet: `agi pipeline run` starts one"
    return listed(table, empty, more=runs.more)


def comparison_table(differences: Sequence[Difference]) -> RenderableType:
    """What differs between two executions."""
    if not differences:
        return Text("they do not differ")
    rows = [
        (each.step, each.field, one_line(each.first, 80), one_line(each.second, 80))
        for each in differences
    ]
    code = [each for each in differences if each.text]
    shown = [Text(f"\n{each.text.rstrip()}", style="dim") for each in code]
    return Group(grid(("step", "what", "first", "second"), rows, prose=("first", "second")), *shown)


def _step_line(step: PipelineStep) -> Text:
    number = f"{step.number}. " if step.number else "-  "
    line = Text(number).append(step.id, style="bold")
    line.append(f"  {one_line(step.description or step.question, 60)}  {step.engine}  ")
    line.append(step.freshness.value, style=STATE_STYLES.get(step.freshness.value, ""))
    if not step.enabled:
        line.append("  disabled", style="dim")
    elif not step.number:
        line.append("  not in the sequence", style="dim")
    if step.latest_state is not None:
        word = step.latest_state.value
        line.append("  last ").append(word, style=STATE_STYLES.get(word, "cyan"))
    return line


def _step_facts(step: PipelineStep) -> Iterator[Text]:
    if step.deps:
        yield Text(f"after {', '.join(step.deps)}")
    if step.origin is not None:
        bound = f", bound to {step.origin.plan}" if step.origin.plan else ""
        yield Text(f"from the settings {step.origin.settings[:12]} of {step.origin.app}{bound}")
    if step.edited:
        yield Text("changed by hand since it was rendered", style="yellow")
    for each in step.stale:
        yield Text(f"{each.field}: {one_line(each.detail, 300)}", style="yellow")


def _row(step: StepExecution) -> tuple[Cell, ...]:
    return (
        step.step,
        state(step.state.value),
        f"{step.attempt}" if step.attempt else "",
        duration(step.seconds) if step.end_time else "",
        "" if step.exit_code is None else str(step.exit_code),
        ", ".join(each.told for each in step.linked),
        one_line(step.reason or (step.error.what if step.error else ""), 200),
    )


def _outputs(steps: Sequence[StepExecution]) -> list[RenderableType]:
    rows = [
        (
            step.step,
            each.path,
            each.sha256[:12] or ("not there" if not each.place else "unread"),
            str(each.files),
            byte_count(each.bytes),
        )
        for step in steps
        for each in step.outputs
    ]
    columns = ("step", "output", "sha256", "files", "size")
    return (
        [Text(), grid(columns, rows, right=("files", "size"), may_go=("sha256", "files"))]
        if rows
        else []
    )


def _tails(steps: Sequence[StepExecution]) -> list[RenderableType]:
    parts: list[RenderableType] = []
    for step in steps:
        tail = step.error.metadata.get("log_tail", "") if step.error else ""
        if tail:
            lines = [f"  {line}" for line in tail.splitlines()[-_TAIL_LINES:]]
            parts += [Text(), Text(f"{step.step}:"), Text("\n".join(lines), style="dim")]
    return parts


def _counts(run: PipelineRun) -> str:
    steps = [step for step in run.steps if step.state is not StepState.LEFT_OUT]
    return f"{sum(step.state.fulfilled for step in steps)}/{len(steps)}"


def _span(run: PipelineRun) -> str:
    return duration((run.end_time - run.create_time).total_seconds()) if run.end_time else ""
