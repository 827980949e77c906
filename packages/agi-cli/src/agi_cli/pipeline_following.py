"""Following an execution of a pipeline to its end, and its report there."""

from __future__ import annotations

from typing import TYPE_CHECKING

from agi_cli.followed import Followed
from agi_cli.live import display
from agi_cli.options import Format
from agi_cli.session import Session
from agi_cli.views.pipeline import pipeline_run_report
from agi_cluster.model.event import Event
from agi_cluster.model.pipeline import StepState
from agi_cluster.model.pipeline_run import PipelineRun, PipelineRunState
from agi_cluster.narration import line_of
from agi_env.errors import StepFailedError
from agi_env.verbosity import Verbosity

if TYPE_CHECKING:
    from agi_cluster.client.sync import Client


class _Progress:
    """Which steps run, by what the events tell."""

    def __init__(self, run: PipelineRun) -> None:
        chosen = [step for step in run.steps if step.state is not StepState.LEFT_OUT]
        self._total = len(chosen)
        self._done = sum(step.state.settled for step in chosen)
        self._running: list[str] = []

    def take(self, event: Event) -> None:
        """Take note of an event."""
        step = str(event.data.get("step", ""))
        if event.kind == "step_started":
            self._running.append(step)
        elif event.kind in ("step_ended", "step_skipped", "step_passed_over"):
            self._done += 1
            self._running = [each for each in self._running if each != step]

    def words(self) -> tuple[float | None, str]:
        """How much is done, and what goes on."""
        said = [f"{self._done} of {self._total} steps", ", ".join(self._running[:3])]
        share = self._done / self._total if self._total else None
        return share, "; ".join(word for word in said if word)


def follow_pipeline_run(
    session: Session, client: Client, run: PipelineRun, verbose: int | None = None
) -> PipelineRun:
    """Watch an execution until it is settled, and return it as it is then.

    Raises:
        typer.Exit: Ctrl-C: the execution goes on.
    """
    level = Verbosity.parse(Verbosity.PROGRESS if verbose is None else verbose)
    progress, last = _Progress(run), run
    show = display(session.err, progress.words, quiet=level == Verbosity.QUIET)
    name = f"pipelineRuns/{run.id}"
    followed = Followed(name, "agi pipeline watch", "agi pipeline cancel")
    with followed.watched(session, client, show.line), show:
        show.line(name)
        for update, _ in client.watch_pipeline_run(run.id):
            if isinstance(update, Event):
                progress.take(update)
                line = line_of(update) if update.verbosity <= level else ""
                if line:
                    show.line(line)
            else:
                last = update
    return last


def report(session: Session, run: PipelineRun, output: Format) -> None:
    """Show a settled execution.

    Raises:
        AgiError: Its own error, when it did not succeed.
    """
    session.show(output, run, lambda: pipeline_run_report(run))
    if run.state is not PipelineRunState.SUCCEEDED:
        raise run.error or StepFailedError(f"it ended {run.state.value}", where=run.id)
