"""The end of a watched run: its report, and the error that it ended with."""

from __future__ import annotations

from typing import TYPE_CHECKING

from agi_cli.listing import fetched
from agi_cli.options import Format
from agi_cli.session import Session
from agi_cli.views.run import run_report
from agi_cluster.model.run import Run, RunPartition, RunState
from agi_env.errors import AgiError, CancelledRunError, RunFailedError

if TYPE_CHECKING:
    from agi_cluster.client.sync import Client


def report(session: Session, client: Client, run: Run, output: Format) -> None:
    """Show a settled run.

    Raises:
        AgiError: The run's own error, when it did not succeed.
    """
    error = None if run.state is RunState.SUCCEEDED else failure(run)
    if output is Format.JSON:
        session.show(output, run, lambda: "")
    else:
        partitions = fetched(RunPartition, client.list_run_partitions, run.id).items
        session.print(run_report(run, partitions, error_follows=error is run.error))
    if error is not None:
        raise error


def failure(run: Run) -> AgiError:
    """The error that a run ended with, for the exit code."""
    kind = CancelledRunError if run.state is RunState.CANCELLED else RunFailedError
    facts = {"run": run.id, "app": run.app}
    unnamed = kind(f"the run ended {run.state.value}", where=f"runs/{run.id}", metadata=facts)
    if run.state is RunState.CANCELLED and not isinstance(run.error, CancelledRunError):
        return unnamed
    return run.error or unnamed
