"""What to do next about a run: decided from what is stored, without any I/O."""

from __future__ import annotations

from enum import Enum, auto

from agi_cluster.model.run import RunState
from agi_daemon.runs.record import RunRecord

MOST_FRUITLESS_STARTS = 5
"""Starts of a runner in a row without progress, after which the run is given up."""


class Step(Enum):
    """One step; each may be repeated, because a crash may come between it and its record."""

    LEASE = auto()
    """Wait for the run's cores."""
    INSTALL = auto()
    """Realise the release of the sources on the hosts."""
    PLAN = auto()
    """Have the app name its partitions and place them, or load the plan that was named."""
    START = auto()
    """Take a higher epoch, write the run's directory."""
    FOLLOW = auto()
    """Join or start the runner and copy its journal until one of them ends."""
    GIVE_UP = auto()
    """The runner was lost too often."""
    CANCEL = auto()
    """Settle a run that was stopped before it had a runner."""
    DONE = auto()
    """Nothing: it is settled."""


_BEFORE_THE_RUNNER = {
    RunState.QUEUED: Step.LEASE,
    RunState.INSTALLING: Step.INSTALL,
    RunState.PLANNING: Step.PLAN,
}


def next_step(record: RunRecord) -> Step:
    """The step that brings the run closer to its target."""
    run = record.run
    if run.state.settled:
        return Step.DONE
    if run.state in _BEFORE_THE_RUNNER:
        if run.target is RunState.CANCELLED:
            return Step.CANCEL
        return _BEFORE_THE_RUNNER[run.state]
    if record.fruitless_starts >= MOST_FRUITLESS_STARTS:
        return Step.GIVE_UP
    if run.state is RunState.STARTING:
        return Step.START
    return Step.FOLLOW
