"""How runs in cluster modes meet, as the daemon's environment says."""

from __future__ import annotations

import math
import os
from collections.abc import Mapping

from attrs import frozen

from agi_env.errors import InvalidInputError
from agi_env.runtime.cluster_spec import LEASE_S, SCHEDULER_PORTS, WORKER_PORTS, ClusterSpec
from agi_env.runtime.port_range import PortRange
from agi_env.scheduler_address import SchedulerAddress

SHORTEST_LEASE = 0.5
_LEASES_OF_PATIENCE = 2
DASHBOARD_PORTS = "24600-24699"


@frozen(kw_only=True)
class ClusterSettings:
    """What every run in a cluster mode is told."""

    scheduler_ports: str = SCHEDULER_PORTS
    """The ports on a scheduler's host of which each run takes one."""
    worker_ports: str = WORKER_PORTS
    """The ports on a worker's host of which each slot takes one."""
    dashboard_ports: str = ""
    """The ports of which Dask's dashboard takes one, on the scheduler's loopback; empty: none."""
    lease: float = LEASE_S
    """Seconds without a word after which a worker has lost its slot."""

    @property
    def patience(self) -> float:
        """Seconds for which a runner's host may be out of reach before the runner is moved."""
        return _LEASES_OF_PATIENCE * self.lease

    @classmethod
    def read(cls, environ: Mapping[str, str] = os.environ) -> ClusterSettings:
        """Settings from the environment.

        Args:
            environ: Looked into for ``AGI_SCHEDULER_PORTS``, ``AGI_WORKER_PORTS``,
                ``AGI_DASHBOARD`` (1 for 24600-24699, or a range) and ``AGI_WORKER_LEASE``.

        Raises:
            InvalidInputError: A variable has a value that cannot be used.
        """
        dashboard = environ.get("AGI_DASHBOARD", "").strip()
        dashboard = {"0": "", "1": DASHBOARD_PORTS}.get(dashboard, dashboard)
        return cls(
            scheduler_ports=_ports("AGI_SCHEDULER_PORTS", environ, SCHEDULER_PORTS),
            worker_ports=_ports("AGI_WORKER_PORTS", environ, WORKER_PORTS),
            dashboard_ports=_ports("AGI_DASHBOARD", {"AGI_DASHBOARD": dashboard}, ""),
            lease=_lease("AGI_WORKER_LEASE", environ),
        )

    def spec(self, scheduler: SchedulerAddress) -> ClusterSpec:
        """What a run is told whose scheduler is at this address; a port there is the only one."""
        return ClusterSpec(
            scheduler_host=scheduler.host,
            scheduler_ports=str(scheduler.port or self.scheduler_ports),
            worker_ports=self.worker_ports,
            dashboard_ports=self.dashboard_ports,
            lease_s=self.lease,
        )


def _ports(name: str, environ: Mapping[str, str], default: str) -> str:
    text = environ.get(name, "").strip() or default
    try:
        return str(PortRange.parse(text)) if text else ""
    except ValueError as error:
        raise InvalidInputError(str(error), where=name, remedy="Correct or unset it") from error


def _lease(name: str, environ: Mapping[str, str]) -> float:
    text = environ.get(name, "").strip()
    try:
        seconds = float(text) if text else LEASE_S
    except ValueError:
        seconds = math.nan
    if not SHORTEST_LEASE <= seconds < math.inf:
        raise InvalidInputError(
            f"{text!r} is no number of seconds, {SHORTEST_LEASE:g} or more",
            where=name,
            remedy="Correct or unset it",
        )
    return seconds
