"""The doctor as the API offers it: hosts in parallel, each step told as it is climbed."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Sequence

from agi_cluster.model.diagnosis import Diagnose, Diagnosis, Step
from agi_cluster.model.selection import THIS_MACHINE
from agi_daemon.apps.slots import known_as
from agi_daemon.doctor.case import Case, Records
from agi_daemon.doctor.ladder import Tell, climb
from agi_daemon.doctor.visit import Visit
from agi_daemon.doctor.ways import Ways
from agi_env.app import App
from agi_env.errors import AgiError


class Doctor:
    """Implements ``agi_cluster.model.services.DoctorService``.

    Args:
        records: What is known without asking anybody.
        ways: How hosts are reached.
    """

    def __init__(self, records: Records, ways: Ways) -> None:
        self._records = records
        self._ways = ways

    async def diagnose(self, request: Diagnose) -> AsyncIterator[Step | Diagnosis]:
        """Yield each step as it is climbed, and at last the diagnosis with all of them.

        Raises:
            AppNotFoundError: There is no such app.
            AppInvalidError: Its folder is none.
        """
        app = await self._records.apps.find(request.app, dry_run=True) if request.app else None
        steps: asyncio.Queue[Step | None] = asyncio.Queue()
        climbing = asyncio.create_task(self._diagnosed(app, request, steps), name="diagnosis")
        try:
            while (step := await steps.get()) is not None:
                yield step
            yield await climbing
        finally:
            climbing.cancel()
            await asyncio.gather(climbing, return_exceptions=True)

    async def _diagnosed(
        self, app: App | None, request: Diagnose, steps: asyncio.Queue[Step | None]
    ) -> Diagnosis:
        began = time.monotonic()
        try:
            async with Case(self._records, self._ways, app) as case:
                hosts = await self._hosts(case, request.hosts)
                climbed = await _climb_all(case, hosts, steps.put_nowait)
        finally:
            steps.put_nowait(None)
        return Diagnosis(
            app=app.name if app else "",
            hosts=tuple(hosts),
            steps=climbed,
            seconds=time.monotonic() - began,
        )

    async def _hosts(self, case: Case, asked: Sequence[str]) -> list[str]:
        """This machine, and those that were asked for, else the app's, else all."""
        chosen: Sequence[str] = [known_as(host.removeprefix("hosts/")) for host in asked]
        if not chosen and case.app is not None:
            try:
                chosen = (await case.resolution()).hosts
            except AgiError:  # the rung of the settings says it
                chosen = ()
        if not chosen and case.app is None:
            chosen = await self._ways.addresses()
        return list(dict.fromkeys((THIS_MACHINE, *chosen)))


async def _climb_all(case: Case, hosts: Sequence[str], tell: Tell) -> tuple[Step, ...]:
    visits = {host: Visit(case, host) for host in hosts}
    try:
        async with asyncio.TaskGroup() as group:
            tasks = [
                group.create_task(climb(host, visit.probes(), tell), name=f"ladder of {host}")
                for host, visit in visits.items()
            ]
    finally:
        for visit in visits.values():
            await visit.leave()
    return tuple(step for task in tasks for step in task.result())
