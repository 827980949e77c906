"""What was forgotten, or would be, as people see it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import groupby

from rich.console import Group, RenderableType
from rich.text import Text

from agi_cli.views.grid import facts, grid
from agi_cli.views.headed_tree import HeadedTree
from agi_cluster.model.pruning import PrunedPipelineRun, PrunedRun, Pruning
from agi_cluster.text import byte_count, moment


def pruning_report(pruning: Pruning, *, dry_run: bool) -> RenderableType:
    """The runs one by one, the executions of each pipeline, and how much it is in all."""
    verb = "would go" if dry_run else "gone"
    summary = facts(
        [
            ("runs", _counted(len(pruning.gone), len(pruning.runs), verb)),
            (
                "executions",
                _counted(len(pruning.gone_pipeline_runs), len(pruning.pipeline_runs), verb),
            ),
            ("disk", byte_count(pruning.bytes)),
            ("events", str(pruning.events)),
            ("request ids", str(pruning.requests)),
        ]
    )
    return Group(*_runs(pruning.runs), *_pipelines(pruning.pipeline_runs), summary)


def _runs(runs: Sequence[PrunedRun]) -> Iterator[RenderableType]:
    rows = [
        (
            run.id,
            run.app,
            moment(run.end_time),
            byte_count(run.bytes),
            run.problem or (f"kept: {run.kept}" if run.kept else ""),
        )
        for run in runs
    ]
    if rows:
        yield grid(
            ("run", "app", "settled", "size", "note"),
            rows,
            right=("size",),
            prose=("note",),
            moments=("settled",),
            may_go=("app", "settled"),
        )


def _pipelines(runs: Sequence[PrunedPipelineRun]) -> Iterator[RenderableType]:
    """A tree for each file: so many of its executions are kept."""
    for file, executions in groupby(sorted(runs, key=lambda run: run.file), lambda run: run.file):
        tree = HeadedTree(file)
        for run in executions:
            words = (
                run.id,
                run.module,
                moment(run.end_time),
                byte_count(run.bytes),
                run.problem,
            )
            tree.add(Text("  ".join(filter(None, words))))
        yield tree


def _counted(gone: int, found: int, verb: str) -> str:
    stay = f", {found - gone} stay" if found > gone else ""
    return f"{gone} {verb}{stay}"
