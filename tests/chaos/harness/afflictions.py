"""What befell whole machines, and which failures of runs that explains."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass

from agi_cluster.model.run import Run, RunState

FELT_S = 30.0
"""For so long after its end a fault may still be why something is given up."""

LOSES_RUNNERS = "lose-runner"
_SILENT = frozenset(
    {"cut-link", "cut-link-shortly", "drop-packets", "stop-sshd", "cut-connections"}
    | {"freeze-host", "power-off", "power-off-silently"}
)
_FULL = frozenset({"fill-host", "fill-share"})
_EXPLAINED_BY = {
    "HOST_UNREACHABLE": _SILENT,
    "HOST_COMMAND_TIMEOUT": _SILENT,
    "HOST_CONNECTION_LOST": _SILENT,
    "WORKERS_LOST": _SILENT | _FULL,
    "RUNNER_LOST": _SILENT | {"fill-host", LOSES_RUNNERS},
    "DISK_FULL": _FULL,
}
"""The codes with which a run may fail, and the faults that make each of them the truth."""


@dataclass(slots=True)
class Affliction:
    """A fault of a machine, or of one run, while it lasts.

    Attributes:
        fault: Its name.
        host: The address of the host; empty for all of them.
        run: The one run that it is about; empty for all.
        begun: When it began, in seconds since the epoch.
        ended: When it was over.
    """

    fault: str
    host: str
    run: str
    begun: float
    ended: float = math.inf

    def touches(self, run: Run, hosts: frozenset[str]) -> bool:
        """Whether a run on these hosts met it."""
        assert run.end_time is not None
        then = run.create_time.timestamp() <= self.ended + FELT_S
        there = not self.host or self.host in hosts
        return (
            then and self.begun <= run.end_time.timestamp() and there and self.run in ("", run.id)
        )


def explained(run: Run, hosts: frozenset[str], afflictions: Iterable[Affliction]) -> bool:
    """Whether a run failed for a reason that it gives truly, and that was done to it."""
    if run.state is not RunState.FAILED or run.error is None:
        return False
    causes = _EXPLAINED_BY.get(run.error.code, frozenset())
    return any(each.fault in causes and each.touches(run, hosts) for each in afflictions)
