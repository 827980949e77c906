"""What faults act on: the daemon, the processes around it, and what may still be done to each run.

The product gives a run up when the same thing happens to it too often, rightly. So each kind of
fault has a limit for each run, below that: no fault excuses a run that failed.
"""

from __future__ import annotations

import asyncio
import random
import subprocess
import time
from collections import Counter
from collections.abc import Callable

from agi_cluster.client.autostart import daemon_command
from agi_cluster.testing import RunningDaemon
from agi_env.errors import DaemonStartError
from harness.figures import Breach, Figures, Violation
from harness.processes import Census, Role, Victim

_LOOK_S = 0.005


class Scene:
    """One daemon under fire."""

    def __init__(self, daemon: RunningDaemon, luck: random.Random, figures: Figures) -> None:
        self.daemon = daemon
        self.census = Census(daemon.state)
        self.luck = luck
        self.figures = figures
        self._spent: Counter[tuple[str, str]] = Counter()

    async def find(self, role: Role, patience_s: float, most_per_run: int) -> Victim | None:
        """A process of this role that may still be hit, waiting a while for one to come."""
        deadline = time.monotonic() + patience_s
        while True:
            found = [each for each in self.census.of(role) if self._left(each, role, most_per_run)]
            if found:
                return self.luck.choice(found)
            if time.monotonic() > deadline:
                return None
            await asyncio.sleep(_LOOK_S)

    def spend(self, victim: Victim) -> None:
        """Note that a run has been hit there once more."""
        self._spent[victim.run, victim.role] += 1

    async def restart_daemon(self) -> None:
        """Have a daemon again; one that does not start is a broken promise."""
        try:
            await asyncio.to_thread(self.daemon.start)
            self.figures.restarts["daemon"] += 1
        except DaemonStartError as error:
            self.figures.violations.append(Violation(Breach.LOST, "daemon", f"no start: {error}"))
            await asyncio.to_thread(self.daemon.start)

    async def kill_daemon(self) -> None:
        """Kill it with SIGKILL."""
        await asyncio.to_thread(self.daemon.kill)

    def begin_daemon(self) -> subprocess.Popen[bytes]:
        """Begin to start a daemon that is not going to serve."""
        return subprocess.Popen(
            daemon_command(self.daemon.state),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            env=self.daemon.env,
            start_new_session=True,
        )

    def _left(self, victim: Victim, role: Role, most_per_run: int) -> bool:
        return not victim.run or self._spent[victim.run, role] < most_per_run


async def until(ready: Callable[[], bool], seconds: float, pause_s: float = 0.02) -> bool:
    """Wait until something holds; false when it does not hold in time."""
    deadline = time.monotonic() + seconds
    while not ready():
        if time.monotonic() > deadline:
            return False
        await asyncio.sleep(pause_s)
    return True
