"""The faults: each strikes one process, or the daemon, at the moment the schedule says."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from signal import SIGCONT, SIGKILL, SIGSTOP
from typing import ClassVar, Protocol

from harness.afflictions import LOSES_RUNNERS
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

    async def strike(self, scene: Scene, luck: random.Random) -> bool:
        """Do it, as luck has it; false when there was nothing to do it to."""
        ...


@dataclass(frozen=True, slots=True)
class KillProcess:
    """SIGKILL to a process of one role, but not more often than a run may take.

    The product attempts a partition three times and starts a runner five times in a row in vain,
    whether runner or supervisor was lost. An attach may go as often as it likes.
    """

    role: Role
    most: int

    @property
    def name(self) -> str:
        """Such as ``kill-runner``."""
        return f"kill-{self.role}"

    async def strike(self, scene: Scene, luck: random.Random) -> bool:
        """Kill one."""
        victim = await scene.find(self.role, luck, PATIENCE_S, self.most)
        if victim is None or not scene.hit(victim, SIGKILL):
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

    async def strike(self, scene: Scene, luck: random.Random) -> bool:
        """Stop one for a while."""
        victim = await scene.find(self.role, luck, PATIENCE_S, most=1_000)
        if victim is None or not scene.hit(victim, SIGSTOP):
            return False
        try:
            await asyncio.sleep(luck.uniform(0.05, self.longest_s))
        finally:
            victim.hit(SIGCONT)
        return True


@dataclass(frozen=True, slots=True)
class StopWorker:
    """SIGSTOP to a worker for longer than its lease, or for good: it has to be fenced."""

    name: ClassVar[str] = "stop-worker"
    longest_s: float = 8.0

    async def strike(self, scene: Scene, luck: random.Random) -> bool:
        """Stop one; now and then let it go on, to see that it finds itself fenced."""
        victim = await scene.find(Role.WORKER, luck, PATIENCE_S, most=1)
        if victim is None or not scene.hit(victim, SIGSTOP):
            return False
        scene.spend(victim)
        if luck.random() < 0.5:
            await asyncio.sleep(luck.uniform(0.5, self.longest_s))
            victim.hit(SIGCONT)
        return True


class KillDaemon:
    """SIGKILL to the daemon, and a new one a moment later."""

    name = "kill-daemon"

    async def strike(self, scene: Scene, luck: random.Random) -> bool:
        """Kill it and start it again."""
        away = luck.choice((0.0, 0.0, 0.1, 0.5, 1.5))
        await scene.kill_daemon()
        try:
            await asyncio.sleep(away)
        finally:
            await scene.restart_daemon()
        return True


class KillStartingDaemon:
    """SIGKILL to the daemon, and to the next one before or just when it serves."""

    name = "kill-starting-daemon"

    async def strike(self, scene: Scene, luck: random.Random) -> bool:
        """Kill two daemons and start a third."""
        await scene.kill_daemon()
        try:
            beginning = scene.begin_daemon()
            await asyncio.sleep(luck.uniform(0.0, 0.8))
            if beginning.poll() is None:
                scene.figures.signals["SIGKILL starting daemon"] += 1
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

    async def strike(self, scene: Scene, luck: random.Random) -> bool:
        """Kill both and start the daemon again."""
        await scene.kill_daemon()
        try:
            return await self.other.strike(scene, luck)
        finally:
            await scene.restart_daemon()


class LoseRunner:
    """SIGKILL to every runner of one run as it comes, until the run is given up or settled."""

    name: ClassVar[str] = LOSES_RUNNERS
    patience_s: ClassVar[float] = 6.0
    """For so long a runner is waited for; a run that had none for as long has been settled."""
    longest_s: ClassVar[float] = 30.0

    async def strike(self, scene: Scene, luck: random.Random) -> bool:
        """Kill them all."""
        victim = await scene.find(Role.RUNNER, luck, self.patience_s, most=1)
        if victim is None:
            return False
        scene.spend(victim)
        async with scene.afflicted(self.name, run=victim.run):
            return await self._lose(scene, victim.run)

    async def _lose(self, scene: Scene, run: str) -> bool:
        struck, last = False, time.monotonic()
        end = last + self.longest_s
        while last + self.patience_s > (now := time.monotonic()) < end:
            for runner in scene.census.of(Role.RUNNER):
                if runner.run == run and scene.hit(runner, SIGKILL):
                    struck, last = True, now
            await asyncio.sleep(0.02)
        return struck


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
    KillProcess(Role.WORKER, 2): 5,
    KillProcess(Role.WORKER_SUPERVISOR, 1): 2,
    KillProcess(Role.WORKER_ATTACH, 3): 2,
    StopWorker(): 2,
}
"""Those that cluster modes have in addition."""


GIVEN_UP: dict[Fault, int] = {LoseRunner(): 1}
"""Those after which a run is given up, as it has to be: it is retried when the storm is over."""


def chosen(names: Sequence[str], known: dict[Fault, int]) -> dict[Fault, int]:
    """The faults that one of these words names; all of them when none is given."""
    fitting = {
        fault: odds
        for fault, odds in known.items()
        if any(names_fault(word, fault.name) for word in names)
    }
    return fitting if names else known


def names_fault(word: str, name: str) -> bool:
    """Whether a word is a fault's name, or whole parts of it, such as ``worker`` or ``kill``."""
    return f"-{word}-" in f"-{name}-"


def schedule(
    luck: random.Random, faults: dict[Fault, int], mean_pause_s: float
) -> Iterator[tuple[float, Fault]]:
    """Pauses, each with the fault that follows it, without end."""
    kinds, odds = list(faults), list(faults.values())
    while True:
        yield luck.expovariate(1 / mean_pause_s), luck.choices(kinds, odds)[0]
