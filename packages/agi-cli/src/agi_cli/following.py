"""Following a run or an installation to its end, with progress on the way."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import nullcontext
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from agi_cli.followed import Followed
from agi_cli.install_tracker import InstallTracker
from agi_cli.listing import fetched
from agi_cli.live import display
from agi_cli.printed import printed
from agi_cli.queue_look import looking_at_queue
from agi_cli.session import Session
from agi_cli.tracker import RunTracker
from agi_cli.views.installation import install_progress
from agi_cluster.model.benchmark import Benchmark
from agi_cluster.model.event import Event
from agi_cluster.model.installation import Installation
from agi_cluster.model.plan import PlannedPartition
from agi_cluster.model.run import Run, RunState
from agi_cluster.narration import line_of
from agi_cluster.text import percent, time_left
from agi_env.verbosity import Verbosity

if TYPE_CHECKING:
    from agi_cluster.client.sync import Client


def follow_run(session: Session, client: Client, run: Run, verbose: int | None = None) -> Run:
    """Watch a run until it is settled, and return it as it is then.

    Args:
        session: Where progress is shown, on its ``err``.
        client: A client of the daemon.
        run: The run.
        verbose: How much to show, see `Verbosity`; None: as the run was asked to.

    Raises:
        typer.Exit: Ctrl-C: the run goes on.
        DaemonError: The daemon stayed away: it says so too.
    """
    level = Verbosity.parse(run.verbose if verbose is None else verbose)
    tracker = RunTracker(run)
    # Also a quiet line of progress is computed from each partition.
    asked = max(level, Verbosity.PARTITIONS) if level else level
    show = display(session.err, lambda: _run_status(tracker), quiet=level == Verbosity.QUIET)
    said = printed(client, run.id, show.line) if level == Verbosity.OUTPUT else nullcontext()
    followed = Followed(
        f"runs/{run.id}",
        "agi runs watch",
        "agi runs cancel",
        alone=lambda: tracker.state is RunState.RUNNING,
    )
    with followed.watched(session, client, show.line), show:
        show.line(f"runs/{run.id}: {run.app}, mode {run.mode.words}")
        _learn_plan(client, tracker, run.plan)
        with said, looking_at_queue(client, tracker):
            for update, _ in client.watch_run(run.id, verbose=asked):
                tracker.take(update)
                if isinstance(update, Event):
                    if update.kind == "planned":
                        _learn_plan(client, tracker, str(update.data["plan"]))
                    _tell(show.line, update, level, tracker.label)
                elif update.waiting_for:
                    show.line(tracker.waiting)
    return tracker.run


def follow_installation(
    session: Session, client: Client, installation: Installation, verbose: int | None = None
) -> Installation:
    """Watch an installation until it is settled, and return it as it is then.

    Raises:
        typer.Exit: Ctrl-C: the installation goes on.
    """
    level = Verbosity.parse(Verbosity.PROGRESS if verbose is None else verbose)
    last, tracker = installation, InstallTracker(installation)
    show = display(
        session.err,
        lambda: (None, tracker.summary),
        quiet=level == Verbosity.QUIET,
        details=lambda: install_progress(tracker),
    )
    followed = Followed(f"installations/{installation.id}")
    with followed.watched(session, client, show.line), show:
        for update, _ in client.watch_installation(installation.id):
            if isinstance(update, Event):
                tracker.take(update)
                _tell(show.line, update, level, str)
            else:
                last = update
    return last


def follow_benchmark(
    session: Session, client: Client, benchmark: Benchmark, verbose: int | None = None
) -> Benchmark:
    """Watch a benchmark until it is settled, and return it as it is then.

    Raises:
        typer.Exit: Ctrl-C: the benchmark goes on.
    """
    level = Verbosity.parse(Verbosity.PROGRESS if verbose is None else verbose)
    last, total = benchmark, len(benchmark.rows) * (benchmark.repeats + benchmark.warmups)
    done = 0
    show = display(
        session.err,
        lambda: (done / total, f"{done} of {total} runs"),
        quiet=level == Verbosity.QUIET,
    )
    name = f"benchmarks/{benchmark.id}"
    followed = Followed(name, "agi benchmarks show", "agi benchmarks cancel")
    with followed.watched(session, client, show.line), show:
        for update, _ in client.watch_benchmark(benchmark.id):
            if isinstance(update, Event):
                done += update.kind == "measured"
                _tell(show.line, update, level, str)
            else:
                last = update
    return last


def _learn_plan(client: Client, tracker: RunTracker, plan: str) -> None:
    if plan:
        tracker.plan(fetched(PlannedPartition, client.list_plan_partitions, plan).items)


def _tell(
    say: Callable[[str], None], event: Event, level: int, label: Callable[[str], str]
) -> None:
    line = line_of(event, label) if event.verbosity <= level else ""
    if line:
        say(line)


def _run_status(tracker: RunTracker) -> tuple[float | None, str]:
    if not tracker.total:
        return None, tracker.waiting
    words = [f"{tracker.done} of {tracker.total} partitions, {percent(tracker.share)}"]
    if tracker.failed:
        words.append(f"{tracker.failed} failed")
    left = tracker.seconds_left(datetime.now(UTC))
    if left:
        words.append(f"about {time_left(left)} left")
    if tracker.running:
        words.append(", ".join(tracker.running[:3]))
    return tracker.share, "; ".join(words)
