"""What was asked for, as it is written into a run's directory: enough to restore the run."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from attrs import evolve, frozen

from agi_cluster.model.plan import Plan
from agi_cluster.model.run import RunPaths, RunProgress, RunState
from agi_daemon.runs.record import RunRecord
from agi_daemon.store.codec import plain, structured
from agi_env.errors import StateUnreadableError


@frozen
class Order:
    """A run as it was when it began, and the plan revision that it executes."""

    record: RunRecord
    plan: Plan


def order_of(record: RunRecord, plan: Plan) -> dict[str, Any]:
    """The order as plain data; the same each time that the run's directory is written."""
    return {"record": plain(as_it_began(record)), "plan": plain(plan)}


def order_in(data: Mapping[str, Any]) -> Order:
    """The order that was written into a directory.

    Raises:
        StateUnreadableError: It is none, or one of a newer version.
    """
    try:
        return Order(structured(data["record"], RunRecord), structured(data["plan"], Plan))
    except Exception as error:
        # cattrs names a dozen kinds of errors; all of them mean this.
        raise StateUnreadableError(f"its spec holds no order ({error})") from error


def as_it_began(record: RunRecord) -> RunRecord:
    """The record without anything that its journal says, or that a restart changes."""
    run = record.run
    return evolve(
        record,
        epoch=0,
        journal_seq=0,
        fruitless_starts=0,
        scheduler=None,
        cancel_grace=None,
        run=evolve(
            run,
            state=RunState.RUNNING,
            target=RunState.SUCCEEDED,
            start_time=None,
            end_time=None,
            progress=RunProgress(total=run.progress.total, weight_total=run.progress.weight_total),
            error=None,
            result=None,
            paths=RunPaths(run_directory=run.paths.run_directory),
            slots=tuple(
                evolve(slot, partitions=0, busy_seconds=0.0, cpu_seconds=0.0) for slot in run.slots
            ),
            epoch=0,
            waiting_for="",
        ),
    )
