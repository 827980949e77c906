"""A round: one daemon, some customers, one schedule of faults, and then the reckoning."""

from __future__ import annotations

import asyncio
import random
import shutil
import tempfile
from dataclasses import dataclass
from pathlib import Path
from signal import SIGKILL

from agi_cluster.client import AsyncClient
from agi_cluster.model.requests import StartRun
from agi_cluster.model.run import Run
from agi_cluster.model.selection import Selection
from agi_cluster.testing import RunningDaemon
from agi_env.mode import Mode
from harness import faults as known
from harness.customer import DEADLINES, SETTLE_S, Customer, Order
from harness.faults import Fault
from harness.figures import Figures
from harness.processes import Census
from harness.reckoning import Reckoning
from harness.scene import Scene
from harness.workload import Job, draw_jobs, make_app


@dataclass(frozen=True, slots=True)
class Round:
    """What a round does; equal rounds have equal schedules.

    Attributes:
        seed: What everything follows from.
        seconds: How long faults strike.
        customers: How many order runs at the same time.
        apps: How many apps there are.
        jobs: How many different jobs there are.
        fault_names: Words in the names of the faults; none for all.
        mean_pause_s: The mean pause between faults.
        modes: The modes of the runs; none for all that this version runs.
    """

    seed: int
    seconds: float = 60.0
    customers: int = 3
    apps: int = 2
    jobs: int = 4
    fault_names: tuple[str, ...] = ()
    mean_pause_s: float = 0.25
    modes: tuple[Mode, ...] = ()

    def luck(self, whose: str) -> random.Random:
        """A source of choices of its own for everybody."""
        return random.Random(f"{self.seed}/{whose}")

    @property
    def all_modes(self) -> tuple[Mode, ...]:
        """The modes of the runs."""
        return self.modes or (Mode(0), Mode.POOL, Mode.CLUSTER, Mode.CLUSTER | Mode.POOL)

    @property
    def faults(self) -> dict[Fault, int]:
        """The faults that may strike."""
        cluster = any(Mode.CLUSTER in mode for mode in self.all_modes)
        return known.chosen(self.fault_names, known.LOCAL | (known.CLUSTER if cluster else {}))


@dataclass(slots=True)
class Outcome:
    """What came of a round.

    Attributes:
        figures: What was done and what was broken.
        root: The directory of the round; kept when something was broken.
    """

    figures: Figures
    root: Path


async def play(planned: Round) -> Outcome:
    """Play a round to its end and judge it."""
    root = Path(tempfile.mkdtemp(prefix=f"agi-chaos-{planned.seed}-"))
    outcome = Outcome(Figures(), root)
    daemon = RunningDaemon(root, root / "state")
    (root / "cluster").mkdir()
    daemon.env["AGI_CLUSTER_SHARE"] = str(root / "cluster")
    try:
        await asyncio.to_thread(daemon.start)
        begun = asyncio.get_running_loop().time()
        await _Stage(planned, daemon, outcome).play()
        outcome.figures.seconds = asyncio.get_running_loop().time() - begun
    finally:
        await asyncio.to_thread(daemon.kill)
        _clear(daemon)
    if not outcome.figures.violations:
        shutil.rmtree(root, ignore_errors=True)
    return outcome


class _Stage:
    """A round while it is played."""

    def __init__(self, planned: Round, daemon: RunningDaemon, outcome: Outcome) -> None:
        self._planned = planned
        self._daemon = daemon
        self._figures = outcome.figures
        self._outcome = outcome
        self._jobs = draw_jobs(planned.luck("jobs"), planned.jobs)
        names = ("grain", "slate", "barley")[: planned.apps]
        self._apps = [make_app(outcome.root / "apps", name) for name in names]
        self._scene = Scene(daemon, planned.luck("faults"), outcome.figures)

    async def play(self) -> None:
        """Calm runs, then the storm, then the reckoning."""
        async with AsyncClient(self._daemon.address, deadlines=DEADLINES) as client:
            calm = await self._calm(client)
            orders = await self._storm(client)
            reckoning = Reckoning(self._daemon, orders, self._figures)
            await reckoning.of_runs(client)
            await reckoning.of_their_number(client, calm)
            await reckoning.of_cores(client)
        await asyncio.to_thread(self._daemon.stop)
        await reckoning.of_what_is_left()

    async def _calm(self, client: AsyncClient) -> int:
        """Run undisturbed, to see that what we expect is what comes; how many runs that were.

        Every app runs in every mode, so that what the storm needs is installed.
        """
        first, modes = self._jobs[0], self._planned.all_modes
        calls = [(app, first, mode) for app in self._apps for mode in modes]
        calls += [(self._apps[0], job, modes[0]) for job in self._jobs[1:]]
        for app, job, mode in calls:
            ended = await _run_to_end(client, app, job, mode)
            if ended.result != job.total:
                raise AssertionError(f"undisturbed, {job} came to {ended.result}: {ended}")
        return len(calls)

    async def _storm(self, client: AsyncClient) -> list[Order]:
        planned, now = self._planned, asyncio.get_running_loop().time()
        customers = [
            Customer(
                client,
                planned.luck(f"customer {number}"),
                self._figures,
                apps=self._apps,
                jobs=self._jobs,
                modes=planned.all_modes,
            )
            for number in range(planned.customers)
        ]
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._strike(now + planned.seconds))
            for customer in customers:
                tasks.create_task(customer.serve(now + planned.seconds))
        return [order for each in customers for order in each.orders]

    async def _strike(self, end: float) -> None:
        planned, loop = self._planned, asyncio.get_running_loop()
        luck = planned.luck("schedule")
        for pause, fault in known.schedule(luck, planned.faults, planned.mean_pause_s):
            await asyncio.sleep(pause)
            if loop.time() > end:
                return
            struck = await fault.strike(self._scene)
            (self._figures.faults if struck else self._figures.missed)[fault.name] += 1


async def _run_to_end(client: AsyncClient, app: Path, job: Job, mode: Mode) -> Run:
    here = Selection(workers={"127.0.0.1": 1}, cores_per_slot=1)
    request = StartRun(app=str(app), mode=mode, selection=here, args=job.args)
    run = await client.start_run(request)
    async with asyncio.timeout(SETTLE_S):
        async for _ in client.watch_run(run.id):
            pass
    return await client.get_run(run.id)


def _clear(daemon: RunningDaemon) -> None:
    """Kill what a round left, after it was counted."""
    for victim in Census(daemon.state).take():
        victim.hit(SIGKILL)
