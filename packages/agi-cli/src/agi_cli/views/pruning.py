"""What was forgotten, or would be, as people see it."""

from __future__ import annotations

from rich.console import Group, RenderableType

from agi_cli.views.grid import facts, grid
from agi_cluster.model.pruning import Pruning
from agi_cluster.text import moment


def pruning_report(pruning: Pruning, *, dry_run: bool) -> RenderableType:
    """The runs one by one, and how much it is in all."""
    verb = "would go" if dry_run else "gone"
    held = len(pruning.runs) - len(pruning.gone)
    summary = facts(
        [
            ("runs", f"{len(pruning.gone)} {verb}" + (f", {held} stay" if held else "")),
            ("disk", f"{pruning.bytes / 1e6:.1f} MB"),
            ("events", str(pruning.events)),
            ("request ids", str(pruning.requests)),
        ]
    )
    if not pruning.runs:
        return summary
    rows = [
        (
            run.id,
            run.app,
            moment(run.end_time) if run.end_time else "",
            f"{run.bytes / 1e6:.1f} MB",
            run.problem or (f"kept: {run.kept}" if run.kept else ""),
        )
        for run in pruning.runs
    ]
    return Group(grid(("run", "app", "settled", "size", "note"), rows, right=("size",)), summary)
