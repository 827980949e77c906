"""What a run in a cluster mode needs beyond one that stays on its machine."""

from __future__ import annotations

from dataclasses import dataclass

SCHEDULER_PORTS = "24700-24799"
"""Where runners listen for their workers, unless told otherwise."""
WORKER_PORTS = "24800-25199"
"""Where workers listen, unless told otherwise."""
LEASE_S = 5.0
"""Seconds for which a worker keeps its slot without a word, unless told otherwise."""


@dataclass(frozen=True, slots=True)
class ClusterSpec:
    """How runner and workers meet.

    Attributes:
        scheduler_host: The address of the runner's host, as its workers reach it.
        scheduler_ports: The range of ports of which the runner takes one.
        worker_ports: The range of ports of which each worker takes one.
        dashboard_ports: The range of ports of which Dask's dashboard takes one, on the runner's
            own loopback address; empty: there is no dashboard.
        lease_s: Seconds without a word after which a worker has lost its slot.
    """

    scheduler_host: str = "127.0.0.1"
    scheduler_ports: str = SCHEDULER_PORTS
    worker_ports: str = WORKER_PORTS
    dashboard_ports: str = ""
    lease_s: float = LEASE_S
