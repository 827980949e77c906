"""The faults: each strikes one process, or the daemon, at the moment the schedule says."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from signal import SIGCONT, SIGKILL, SIGSTOP
from typing import ClassVar, Protocol

from harness.processes import Role
from harness.scene import Scene

PATIENCE_S = 1.0
"""How long a fault waits for something to strike."""


class Fault(Protocol):
    """Something that goes wrong."""

    @property
    def name(self) -> str:
        """What it is called on the command line and in the figures."""
        ...

    async def strike(self, scene: Scene) -> bool:
        """Do it; false when there was nothing to do it to."""
        ...


@dataclass(frozen=True, slots=True)
class KillProcess:
    """SIGKILL to a process of one role, but not more often than a run may take.

    The product attempts a partition three times and starts a runner five times in a row in vain,
    whether runner or supervisor was lost. An attach may go as often as it likes.
    """

    role: Role
    most_per_run: int

    @property
    def name(self) -> str:
        """Such as ``kill-runner``."""
        return f"kill-{self.role}"

    async def strike(self, scene: Scene) -> bool:
        """Kill one."""
        victim = await scene.find(self.role, PATIENCE_S, self.most_per_run)
        if victim is None or not victim.hit(SIGKILL):
            return False
        scene.spend(victim)
        return True


@dataclass(frozen=True, slots=True)
class StopProcess:
    """SIGSTOP to a process of one role, and SIGCONT a while later."""

    role: Role
    longest_s: float = 1.5

    @property
    def name(self) -> str:
        """Such as ``stop-executor``."""
        return f"stop-{self.role}"

    async def strike(self, scene: Scene) -> bool:
        """Stop one for a while."""
        victim = await scene.find(self.role, PATIENCE_S, most_per_run=1_000)
        if victim is None or not victim.hit(SIGSTOP):
            return False
        try:
            await asyncio.sleep(scene.luck.uniform(0.05, self.longest_s))
        finally:
            victim.hit(SIGCONT)
        return True


@dataclass(frozen=True, slots=True)
class StopWorker:
    """SIGSTOP to a worker for longer than its lease, or for good: it has to be fenced."""

    name: ClassVar[str] = "stop-worker"
    longest_s: float = 8.0

    async def strike(self, scene: Scene) -> bool:
        """Stop one; now and then let it go on, to see that it finds itself fenced."""
        victim = await scene.find(Role.WORKER, PATIENCE_S, most_per_run=1)
        if victim is None or not victim.hit(SIGSTOP):
            return False
        scene.spend(victim)
        if scene.luck.random() < 0.5:
            await asyncio.sleep(scene.luck.uniform(0.5, self.longest_s))
            victim.hit(SIGCONT)
        return True


class KillDaemon:
    """SIGKILL to the daemon, and a new one a moment later."""

    name = "kill-daemon"

    async def strike(self, scene: Scene) -> bool:
        """Kill it and start it again."""
        away = scene.luck.choice((0.0, 0.0, 0.1, 0.5, 1.5))
        await scene.kill_daemon()
        try:
            await asyncio.sleep(away)
        finally:
            await scene.restart_daemon()
        return True


class KillStartingDaemon:
    """SIGKILL to the daemon, and to the next one before or just when it serves."""

    name = "kill-starting-daemon"

    async def strike(self, scene: Scene) -> bool:
        """Kill two daemons and start a third."""
        await scene.kill_daemon()
        try:
            beginning = scene.begin_daemon()
            await asyncio.sleep(scene.luck.uniform(0.0, 0.8))
            beginning.kill()
            await asyncio.to_thread(beginning.wait, 10)
        finally:
            await scene.restart_daemon()
        return True


@dataclass(frozen=True, slots=True)
class KillWhileAway:
    """SIGKILL to the daemon, and to a process of a run while no daemon is there."""

    other: KillProcess

    @property
    def name(self) -> str:
        """Such as ``kill-runner-while-away``."""
        return f"{self.other.name}-while-away"

    async def strike(self, scene: Scene) -> bool:
        """Kill both and start the daemon again."""
        await scene.kill_daemon()
        try:
            return await self.other.strike(scene)
        finally:
            await scene.restart_daemon()


KILL_RUNNER = KillProcess(Role.RUNNER, 2)
KILL_SUPERVISOR = KillProcess(Role.SUPERVISOR, 2)

LOCAL: dict[Fault, int] = {
    KillDaemon(): 6,
    KillStartingDaemon(): 1,
    KillWhileAway(KILL_RUNNER): 1,
    KillWhileAway(KILL_SUPERVISOR): 1,
    KILL_RUNNER: 5,
    KILL_SUPERVISOR: 5,
    KillProcess(Role.EXECUTOR, 2): 5,
    KillProcess(Role.ATTACH, 20): 5,
    StopProcess(Role.EXECUTOR): 2,
    StopProcess(Role.RUNNER): 1,
    StopProcess(Role.SUPERVISOR): 1,
    StopProcess(Role.ATTACH): 1,
    StopProcess(Role.DAEMON): 1,
}
"""The faults of runs on this machine alone, and how likely each is."""

CLUSTER: dict[Fault, int] = {
    KillProcess(Role.WORKER, 1): 5,
    KillProcess(Role.WORKER_SUPERVISOR, 1): 2,
    KillProcess(Role.WORKER_ATTACH, 3): 2,
    StopWorker(): 2,
}
"""Those that cluster modes have in addition."""


def chosen(names: Sequence[str], known: dict[Fault, int]) -> dict[Fault, int]:
    """The faults whose names contain one of these words; all of them when none is given.

    Raises:
        ValueError: A word fits no fault.
    """
    for word in names:
        if not any(word in fault.name for fault in known):
            raise ValueError(f"{word!r} is in no name of {', '.join(f.name for f in known)}")
    fitting = {
        fault: odds for fault, odds in known.items() if any(word in fault.name for word in names)
    }
    return fitting if names else known


def schedule(
    luck: random.Random, faults: dict[Fault, int], mean_pause_s: float
) -> Iterator[tuple[float, Fault]]:
    """Pauses, each with the fault that follows it, without end."""
    kinds, odds = list(faults), list(faults.values())
    while True:
        yield luck.expovariate(1 / mean_pause_s), luck.choices(kinds, odds)[0]
