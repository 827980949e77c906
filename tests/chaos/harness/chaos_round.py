"""A round: one daemon, some customers, one schedule of faults, and then the reckoning."""

from __future__ import annotations

import asyncio
import random
import shutil
import tempfile
from contextlib import AsyncExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from signal import SIGKILL

from agi_cluster.client import AsyncClient
from agi_cluster.model.requests import StartRun
from agi_cluster.model.run import Run
from agi_cluster.model.selection import Selection
from agi_cluster.testing import RunningDaemon
from agi_env.mode import Mode
from harness import faults as known
from harness import host_faults
from harness.customer import DEADLINES, SETTLE_S, Customer, Order
from harness.faults import Fault
from harness.figures import Figures
from harness.machines import HERE, Machines, hosts_on_small_disks
from harness.reckoning import Reckoning
from harness.scene import Scene
from harness.second_tries import retried
from harness.workload import Job, draw_jobs, make_app

LEASE_S = 2.0
"""The lease of workers on hosts: faults of hosts last shorter, or longer."""


@dataclass(frozen=True, slots=True)
class Round:
    """What a round does; equal rounds have equal schedules.

    Attributes:
        seed: What everything follows from.
        seconds: How long faults strike.
        customers: How many order runs at the same time.
        apps: How many apps there are.
        jobs: How many different jobs there are.
        fault_names: Whole parts of the names of the faults, such as ``worker``; none for all.
        mean_pause_s: The mean pause between faults.
        modes: The modes of the runs; none for all that this version runs.
        hosts: How many test hosts the runs in cluster modes have; 0: they stay on this machine.
        mean_calm_s: The mean pause between faults that last: those of hosts and disks.
    """

    seed: int
    seconds: float = 60.0
    customers: int = 3
    apps: int = 2
    jobs: int = 4
    fault_names: tuple[str, ...] = ()
    mean_pause_s: float = 0.25
    modes: tuple[Mode, ...] = ()
    hosts: int = 0
    mean_calm_s: float = 1.5

    def luck(self, whose: str) -> random.Random:
        """A source of choices of its own for everybody."""
        return random.Random(f"{self.seed}/{whose}")

    @property
    def all_modes(self) -> tuple[Mode, ...]:
        """The modes of the runs."""
        return self.modes or (Mode(0), Mode.POOL, Mode.CLUSTER, Mode.CLUSTER | Mode.POOL)

    @property
    def faults(self) -> dict[Fault, int]:
        """The faults of processes that may strike."""
        cluster = any(Mode.CLUSTER in mode for mode in self.all_modes)
        return known.chosen(self.fault_names, known.LOCAL | (known.CLUSTER if cluster else {}))

    @property
    def lasting_faults(self) -> dict[Fault, int]:
        """The faults that last for a while, of hosts and disks, and so strike beside the others."""
        lasting = host_faults.HOSTS | host_faults.DISKS | known.GIVEN_UP
        return known.chosen(self.fault_names, lasting) if self.hosts else {}

    def check(self) -> None:
        """See that every word names a fault of this round.

        Raises:
            ValueError: One names none.
        """
        every = replace(self, fault_names=())
        names = [fault.name for fault in every.faults | every.lasting_faults]
        for word in self.fault_names:
            if not any(known.names_fault(word, name) for name in names):
                raise ValueError(f"{word!r} names none of {', '.join(names)}")


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
    planned.check()
    root = Path(tempfile.mkdtemp(prefix=f"agi-chaos-{planned.seed}-"))
    outcome = Outcome(Figures(), root)
    daemon = RunningDaemon(root, root / "state", {"AGI_CLUSTER_SHARE": str(root / "cluster")})
    (root / "cluster").mkdir()
    async with AsyncExitStack() as stack:
        hosts = None
        if planned.hosts:
            daemon.env["AGI_WORKER_LEASE"] = str(LEASE_S)
            made = hosts_on_small_disks(planned.hosts, root / "cluster")
            hosts = stack.enter_context(made)
        machines = Machines(daemon, hosts)
        scene = Scene(daemon, machines, outcome.figures)
        stack.callback(_clear, scene)
        await asyncio.to_thread(daemon.start)
        stack.callback(daemon.kill)
        begun = asyncio.get_running_loop().time()
        await _Stage(planned, scene, outcome).play()
        outcome.figures.seconds = asyncio.get_running_loop().time() - begun
        if outcome.figures.violations:
            _keep(outcome, machines)
    if not outcome.figures.violations:
        shutil.rmtree(root, ignore_errors=True)
    return outcome


class _Stage:
    """A round while it is played."""

    def __init__(self, planned: Round, scene: Scene, outcome: Outcome) -> None:
        self._planned = planned
        self._daemon = scene.daemon
        self._figures = outcome.figures
        self._jobs = draw_jobs(planned.luck("jobs"), planned.jobs)
        names = ("grain", "slate", "barley")[: planned.apps]
        self._apps = [make_app(outcome.root / "apps", name) for name in names]
        self._scene = scene
        self._hosts = scene.machines.addresses

    async def play(self) -> None:
        """Calm runs, then the storm, then second tries, then the reckoning."""
        async with AsyncClient(self._daemon.address, deadlines=DEADLINES) as client:
            await self._scene.machines.enrol(client)
            calm = await self._calm(client)
            orders = await self._storm(client)
            await self._scene.machines.heal()
            orders += await retried(client, orders, self._figures)
            reckoning = Reckoning(self._scene, orders)
            await reckoning.of_runs(client)
            await reckoning.of_their_number(client, calm)
            await reckoning.of_cores(client)
            await reckoning.of_debts(client)
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
            ended = await self._run_to_end(client, app, job, mode)
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
                hosts=self._hosts,
            )
            for number in range(planned.customers)
        ]
        async with asyncio.TaskGroup() as tasks:
            end = now + planned.seconds
            pause = planned.mean_pause_s
            tasks.create_task(self._strike(end, "processes", planned.faults, pause))
            for number in range(max(1, planned.hosts // 2) if planned.lasting_faults else 0):
                who = f"machines {number}"
                faults = planned.lasting_faults
                tasks.create_task(self._strike(end, who, faults, planned.mean_calm_s))
            for customer in customers:
                tasks.create_task(customer.serve(end))
        return [order for each in customers for order in each.orders]

    async def _strike(
        self, end: float, what: str, faults: dict[Fault, int], mean_pause_s: float
    ) -> None:
        if not faults:
            return
        loop = asyncio.get_running_loop()
        schedule = known.schedule(self._planned.luck(what), faults, mean_pause_s)
        for number, (pause, fault) in enumerate(schedule):
            await asyncio.sleep(pause)
            if loop.time() > end:
                return
            struck = await fault.strike(self._scene, self._planned.luck(f"{what} {number}"))
            (self._figures.faults if struck else self._figures.missed)[fault.name] += 1

    async def _run_to_end(self, client: AsyncClient, app: Path, job: Job, mode: Mode) -> Run:
        clustered = Mode.CLUSTER in mode and self._hosts
        workers = dict.fromkeys(self._hosts if clustered else (HERE,), 1)
        place = Selection(workers=workers, cores_per_slot=1)
        request = StartRun(app=str(app), mode=mode, selection=place, args=job.args)
        run = await client.start_run(request)
        async with asyncio.timeout(SETTLE_S):
            async for _ in client.watch_run(run.id):
                pass
        return await client.get_run(run.id)


def _clear(scene: Scene) -> None:
    """Kill what a round left, after it was counted."""
    for victim in scene.census.take():
        victim.hit(SIGKILL)


def _keep(outcome: Outcome, machines: Machines) -> None:
    """Keep the runs of the hosts, and what was on the share, which end with the round."""
    for host in machines.hosts:
        runs = machines.runs_of(host.address)
        if runs.exists():
            _copy(runs, outcome.root / "hosts" / host.name)
    if machines.hosts:
        _copy(machines.share, outcome.root / "share-kept")


def _copy(source: Path, target: Path) -> None:
    """Copy a tree without its sockets."""
    shutil.copytree(source, target, symlinks=True, ignore=_sockets)


def _sockets(folder: str, names: list[str]) -> list[str]:
    return [name for name in names if Path(folder, name).is_socket()]
