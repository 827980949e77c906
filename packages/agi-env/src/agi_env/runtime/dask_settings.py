"""Dask's settings: ours, whatever the user or the machine has set for other uses of Dask."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module
from typing import Any

_NOWHERE = "/proc/self/no-dask-here"
_PLACES = ("HOME", "DASK_ROOT_CONFIG")

SETTINGS: dict[str, Any] = {
    # Who is lost is decided by leases, what is done again by the runner's dispatch.
    "distributed.scheduler.allowed-failures": 0,
    "distributed.scheduler.worker-ttl": None,
    "distributed.scheduler.idle-timeout": None,
    "distributed.scheduler.no-workers-timeout": None,
    "distributed.scheduler.work-stealing": False,
    "distributed.scheduler.active-memory-manager.start": False,
    "distributed.scheduler.events-cleanup-delay": "10s",
    # No HTTP but the dashboard's; its pages are added when it is asked for, these are their looks.
    "distributed.scheduler.http.routes": ["distributed.http.statics"],
    "distributed.worker.http.routes": [],
    # A worker holds no data and runs no user code: nothing to profile, spill or terminate.
    "distributed.worker.profile.enabled": False,
    "distributed.worker.use-file-locking": False,
    "distributed.worker.memory.target": False,
    "distributed.worker.memory.spill": False,
    "distributed.worker.memory.pause": False,
    "distributed.worker.memory.terminate": False,
    "distributed.diagnostics.nvml": False,
    "distributed.diagnostics.computations.max-history": 0,
    "distributed.admin.large-graph-warning-threshold": "1GB",
    "distributed.admin.low-level-log-length": 1000,
    # Clocks that only fill the dashboard's curves, and take the work its time while they tick.
    "distributed.client.scheduler-info-interval": "60s",
    "distributed.admin.tick.interval": "1s",
    "distributed.admin.tick.cycle": "5s",
    "distributed.admin.tick.limit": "10s",
    "distributed.admin.system-monitor.interval": "2s",
    "distributed.admin.system-monitor.log-length": 1800,
    "distributed.admin.system-monitor.disk": False,
    "distributed.admin.system-monitor.gil.enabled": False,
    "distributed.comm.timeouts.connect": "10s",
    "distributed.comm.timeouts.tcp": "30s",
    "distributed.comm.require-encryption": True,
}
"""What differs from Dask's own defaults."""


def apply() -> None:
    """Load Dask, with these settings over its own defaults and nothing else.

    It must be the first in its process to load Dask, and called while there is one thread.
    """
    with _nobodys_files():
        config = import_module("dask.config")
        import_module("distributed.config")
    config.refresh(paths=[], env={})
    config.set(SETTINGS)


@contextmanager
def _nobodys_files() -> Iterator[None]:
    """Dask reads its files as it is imported, and fails at a damaged one: show it none."""
    own = {name: text for name, text in os.environ.items() if _matters(name)}
    for name in own:
        del os.environ[name]
    os.environ.update(dict.fromkeys(_PLACES, _NOWHERE))
    try:
        yield
    finally:
        for name in _PLACES:
            os.environ.pop(name, None)
        os.environ.update(own)


def _matters(name: str) -> bool:
    return name in _PLACES or name.startswith("DASK_")
