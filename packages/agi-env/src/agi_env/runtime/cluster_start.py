"""Opening a cluster: the runner's scheduler listens, and executors can be below its workers."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module

from agi_env.errors import RequestInvalidError
from agi_env.runtime import dask_settings
from agi_env.runtime import dispatch_events as events
from agi_env.runtime.cluster_executors import ClusterExecutors
from agi_env.runtime.cluster_keys import ClusterKeys
from agi_env.runtime.spec import RunSpec


@dataclass(frozen=True, slots=True)
class StartedCluster:
    """An open cluster that no worker has joined yet.

    Attributes:
        executors: Its executors.
        address: Where workers find the scheduler.
        dashboard: Where Dask's dashboard is; empty without one.
    """

    executors: ClusterExecutors
    address: str
    dashboard: str


async def start(
    spec: RunSpec,
    epoch: int,
    keys: ClusterKeys | None,
    *,
    post: Callable[[events.Event], None],
    clock: Callable[[], float],
) -> StartedCluster:
    """Listen for the workers of a run.

    Args:
        spec: The run, in a cluster mode.
        epoch: The runner's epoch.
        keys: The run's keys.
        post: Takes the events.
        clock: The time of the events.

    Raises:
        RequestInvalidError: There are no keys, or the run is not in a cluster mode.
        RefusedError: No port is free.
    """
    if keys is None or spec.cluster is None:
        raise RequestInvalidError("a run in a cluster mode needs its keys")
    dask_settings.apply()
    link = import_module("agi_env.runtime.dask_link").DaskLink(spec.cluster, keys)
    executors = ClusterExecutors(
        spec, epoch, link, lease_s=spec.cluster.lease_s, post=post, clock=clock
    )
    await link.open(executors.heard, executors.gone)
    return StartedCluster(executors, link.address, link.dashboard)
