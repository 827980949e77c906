"""The daemon's knowledge of itself: what it is, and that it was asked to end."""

from __future__ import annotations

import os
from collections.abc import Callable
from datetime import UTC, datetime

import agi_daemon
from agi_cluster.model.daemon import DaemonInfo
from agi_daemon.settings import DaemonSettings
from agi_env.errors import DOMAIN


class ThisDaemon:
    """Implements ``DaemonService`` for the daemon that runs in this process.

    Args:
        settings: What it was told when it started.
        schema: The number of the store's schema.
        active_runs: Counts the runs that are not settled.
        stop: Begins the shutdown; it may be called again.
    """

    def __init__(
        self,
        settings: DaemonSettings,
        *,
        schema: int,
        active_runs: Callable[[], int],
        stop: Callable[[], object],
    ) -> None:
        self._settings = settings
        self._schema = schema
        self._active_runs = active_runs
        self._stop = stop
        self._start_time = datetime.now(UTC)

    async def get_daemon(self) -> DaemonInfo:
        """What daemon this is."""
        return DaemonInfo(
            version=agi_daemon.__version__,
            api=DOMAIN,
            pid=os.getpid(),
            start_time=self._start_time,
            state_directory=str(self._settings.state),
            log_path=str(self._settings.log_path),
            schema=self._schema,
            active_runs=self._active_runs(),
            address=self._settings.address,
        )

    async def stop_daemon(self, *, request_id: str = "", validate_only: bool = False) -> DaemonInfo:
        """Begin the shutdown, which waits for this call's answer to be sent; runs go on.

        A repeat finds the shutdown begun or the daemon gone, so the request id needs no memory.
        """
        if not validate_only:
            self._stop()
        return await self.get_daemon()
