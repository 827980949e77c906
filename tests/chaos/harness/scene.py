"""What faults act on: the daemon, the processes around it, the hosts, and what may be done to each.

The product gives a run up when the same thing happens to it too often, rightly. So each kind of
fault that kills has a limit for each run, below that: no such fault excuses a run that failed. What
befalls whole machines is noted with its time, since that may.
"""

from __future__ import annotations

import asyncio
import json
import random
import subprocess
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from signal import SIGKILL, Signals

from agi_cluster.client.autostart import daemon_command
from agi_cluster.testing import RunningDaemon
from agi_env.errors import DaemonStartError
from harness.afflictions import Affliction
from harness.figures import Breach, Figures, Violation
from harness.machines import Machines
from harness.processes import Census, Role, Victim
from hosts.host import Host

_LOOK_S = 0.01
PLAYED_FILE = "played.jsonl"
MOST_IN_A_SLOT = 4
"""Hits of the processes of a slot's worker together: the fifth start in vain would be the last."""


class Scene:
    """One daemon and its machines under fire."""

    def __init__(self, daemon: RunningDaemon, machines: Machines, figures: Figures) -> None:
        self.daemon = daemon
        self.machines = machines
        self.census = Census(machines)
        self.figures = figures
        self.afflictions: list[Affliction] = []
        self._spent: Counter[tuple[str, str, str]] = Counter()
        self._spent_on_slots: Counter[tuple[str, str]] = Counter()
        self._broken: set[str] = set()
        self._begun = time.time()

    async def find(
        self, role: Role, luck: random.Random, patience_s: float, most: int
    ) -> Victim | None:
        """A process of this role that may still be hit, waiting a while for one to come.

        Args:
            role: What it is.
            luck: Chooses among several.
            patience_s: How long to wait.
            most: How often a run may be hit there; for workers, each of its slots.
        """
        deadline = time.monotonic() + patience_s
        while True:
            found = [each for each in self.census.of(role) if self._left(each, most)]
            if found:
                return luck.choice(found)
            if time.monotonic() > deadline:
                return None
            await asyncio.sleep(_LOOK_S)

    def hit(self, victim: Victim, number: Signals) -> bool:
        """Send a signal and count it; false when the victim has ended."""
        struck = victim.hit(number)
        if struck:
            where = f"{victim.role} on a host" if victim.host else str(victim.role)
            self.figures.signals[f"{number.name} {where}"] += 1
            place = victim.host or "manager"
            self.note(number.name, role=victim.role, run=victim.run, pid=victim.pid, on=place)
        return struck

    def note(self, what: str, **facts: object) -> None:
        """Write down what was done, and when: beside the evidence of the round."""
        entry = {"t": round(time.time() - self._begun, 3), "what": what, **facts}
        with (self.daemon.root / PLAYED_FILE).open("a") as played:
            played.write(json.dumps(entry) + "\n")

    def spend(self, victim: Victim) -> None:
        """Note that a run, or a slot of it, has been hit there once more."""
        self._spent[_place(victim)] += 1
        self._spent_on_slots[_slot(victim)] += 1

    @asynccontextmanager
    async def afflicted(self, fault: str, host: str = "", run: str = "") -> AsyncIterator[None]:
        """Note that a host, every host or a run suffers from a fault for as long as this lasts."""
        suffering = Affliction(fault, host, run, begun=time.time())
        self.afflictions.append(suffering)
        self.note(fault, host=host, run=run)
        try:
            yield
        finally:
            suffering.ended = time.time()
            self.note(f"{fault} is over", host=host, run=run)

    def healthy_host(self, luck: random.Random) -> Host | None:
        """A host that suffers from nothing now; none where there is none."""
        healthy = [host for host in self.machines.hosts if host.name not in self._broken]
        return luck.choice(healthy) if healthy else None

    @asynccontextmanager
    async def broken(self, fault: str, host: Host) -> AsyncIterator[None]:
        """Have one host to oneself, to break it."""
        self._broken.add(host.name)
        try:
            async with self.afflicted(fault, host=host.address):
                yield
        finally:
            self._broken.discard(host.name)

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
        self.figures.signals[f"{SIGKILL.name} {Role.DAEMON}"] += 1
        self.note(SIGKILL.name, role=Role.DAEMON)
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

    def _left(self, victim: Victim, most: int) -> bool:
        if not victim.run:
            return True
        in_its_slot = self._spent_on_slots[_slot(victim)] if victim.slot else 0
        return self._spent[_place(victim)] < most and in_its_slot < MOST_IN_A_SLOT


def _place(victim: Victim) -> tuple[str, str, str]:
    """What the limits are for: a role in a run, and for workers in each of its slots."""
    return victim.run, victim.role, victim.slot


def _slot(victim: Victim) -> tuple[str, str]:
    """Where the product counts starts in vain, whichever process of the worker was hit."""
    return victim.run, victim.slot


async def until(ready: Callable[[], bool], seconds: float, pause_s: float = 0.02) -> bool:
    """Wait until something holds; false when it does not hold in time."""
    deadline = time.monotonic() + seconds
    while not ready():
        if time.monotonic() > deadline:
            return False
        await asyncio.sleep(pause_s)
    return True
