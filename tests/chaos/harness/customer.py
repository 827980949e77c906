"""A customer: orders runs, one after another, as clients do when the line is bad.

It hangs up in the middle of calls and calls again with the same request id, says the same thing
several times at once, and changes its mind.
"""

from __future__ import annotations

import asyncio
import random
import uuid
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from agi_cluster.client import AsyncClient
from agi_cluster.client.deadlines import Deadlines
from agi_cluster.model.event import Event
from agi_cluster.model.requests import StartRun
from agi_cluster.model.run import Run
from agi_cluster.model.selection import Selection
from agi_env.errors import AgiError
from agi_env.mode import Mode
from harness.figures import Breach, Figures, Violation
from harness.machines import HERE
from harness.workload import Job, edit_app

DEADLINES = Deadlines(read=60, change=60, answer=60, watch=60)
"""Longer than any daemon of a round is away."""
SETTLE_S = 240.0
"""How long a run may take, with all that is done to it and to others before it: a daemon that is
killed every few seconds on a busy machine gets on slowly, and a silent host is waited for."""

_WORKERS = {
    Mode.PLAIN: [({HERE: 1}, 1)],
    Mode.POOL: [({HERE: 2}, 1), ({HERE: 1}, 2), ({HERE: 1}, 1)],
}
_CLUSTER_WORKERS = [({HERE: 2}, 1), ({HERE: 1}, 1)]


@dataclass(slots=True)
class Order:
    """One run that was asked for.

    Attributes:
        job: What it computes.
        mode: The mode.
        request_id: Under which it was asked for, however often.
        run: Its id, once it was accepted.
        cancelled: Whether somebody asked for its end.
        told: The numbers of the events that a watch told, in order.
        selection: Where it is to run.
        retries: The run that it retries; empty for none.
    """

    job: Job
    mode: Mode
    request_id: str
    run: str = ""
    cancelled: bool = False
    told: list[int] = field(default_factory=list)
    selection: Selection = field(default_factory=Selection)
    retries: str = ""

    @property
    def hosts(self) -> frozenset[str]:
        """The machines that it may meet."""
        return frozenset({*self.selection.workers, self.selection.scheduler or HERE})


class Customer:
    """Orders runs until its time is up."""

    def __init__(
        self,
        client: AsyncClient,
        luck: random.Random,
        figures: Figures,
        *,
        apps: Sequence[Path],
        jobs: Sequence[Job],
        modes: Sequence[Mode],
        hosts: Sequence[str] = (),
    ) -> None:
        self.orders: list[Order] = []
        self._client = client
        self._luck = luck
        self._figures = figures
        self._apps = apps
        self._jobs = jobs
        self._modes = modes
        self._hosts = hosts

    async def serve(self, end: float) -> None:
        """Order one run after another until the loop's clock reads ``end``."""
        while asyncio.get_running_loop().time() < end:
            await self._one()

    async def _one(self) -> None:
        luck = self._luck
        request_id = str(uuid.UUID(int=luck.getrandbits(128), version=4))
        order = Order(luck.choice(self._jobs), luck.choice(self._modes), request_id)
        self.orders.append(order)
        app = luck.choice(self._apps)
        if luck.random() < 0.04:
            edit_app(app, request_id)
            self._figures.calls["edited app"] += 1
        try:
            await self._start(order, app)
            async with asyncio.timeout(SETTLE_S), asyncio.TaskGroup() as both:
                both.create_task(self._watch(order))
                if luck.random() < 0.25:
                    both.create_task(self._cancel(order))
        except* (AgiError, TimeoutError) as group:
            self._lost(order, group)

    async def _start(self, order: Order, app: Path) -> None:
        order.selection = self._selection(order.mode)
        request = StartRun(
            app=str(app), mode=order.mode, selection=order.selection, args=order.job.args
        )
        answers = await self._said(
            lambda: self._client.start_run(request, request_id=order.request_id)
        )
        names = {run.id for run in answers}
        order.run = answers[0].id
        if len(names) > 1:
            what = f"one request id made {', '.join(sorted(names))}"
            self._broken(Breach.DUPLICATED, order, what)

    def _selection(self, mode: Mode) -> Selection:
        if self._hosts and Mode.CLUSTER in mode:
            return _anywhere(self._luck, self._hosts)
        workers, cores = self._luck.choice(_WORKERS.get(mode, _CLUSTER_WORKERS))
        return Selection(workers=workers, cores_per_slot=cores)

    async def _cancel(self, order: Order) -> None:
        await asyncio.sleep(self._luck.choice((0.0, 0.1, 0.5, 1.0, 2.0)) * self._luck.random())
        grace = self._luck.choice((0.0, 0.05, 1.0))
        request_id = str(uuid.UUID(int=self._luck.getrandbits(128), version=4))
        order.cancelled = True
        self._figures.calls["cancelled"] += 1
        await self._said(
            lambda: self._client.cancel_run(order.run, grace_seconds=grace, request_id=request_id)
        )

    async def _said(self, call: Callable[[], Awaitable[Run]]) -> list[Run]:
        """Make a call as this customer does; the answers to it."""
        manner = self._luck.choice(("plain", "hang up", "at once"))
        if manner == "hang up":
            for _ in range(self._luck.randint(1, 3)):
                await self._hang_up(call)
        times = 3 if manner == "at once" else 1
        self._figures.calls["duplicated"] += times - 1
        return await asyncio.gather(*(call() for _ in range(times)))

    async def _hang_up(self, call: Callable[[], Awaitable[Run]]) -> None:
        self._figures.calls["hung up"] += 1
        with suppress(TimeoutError):
            async with asyncio.timeout(self._luck.uniform(0.0, 0.03)):
                await call()

    async def _watch(self, order: Order) -> None:
        async for update, _ in self._client.watch_run(order.run, verbose=3):
            if isinstance(update, Event):
                order.told.append(update.sequence)

    def _lost(self, order: Order, group: BaseExceptionGroup[BaseException]) -> None:
        errors = "; ".join(f"{type(error).__name__} {error}" for error in group.exceptions)
        self._broken(Breach.LOST, order, f"no end was told: {errors}")

    def _broken(self, breach: Breach, order: Order, what: str) -> None:
        where = order.run or f"request {order.request_id}"
        self._figures.violations.append(Violation(breach, where, what))


def _anywhere(luck: random.Random, hosts: Sequence[str]) -> Selection:
    """Workers on some of the hosts, now and then here too; the scheduler here or on any host."""
    places = luck.sample(hosts, luck.randint(1, len(hosts)))
    workers = {place: luck.choice((1, 1, 2)) for place in places}
    if luck.random() < 0.2:
        workers[HERE] = 1
    scheduler = luck.choice(("", "", *hosts))
    return Selection(scheduler=scheduler, workers=workers, cores_per_slot=1)
