"""The owner of all drivers: one task per run that is not settled."""

from __future__ import annotations

import asyncio

from agi_daemon.log import get_log
from agi_daemon.resumption import STEADY, Resumption
from agi_daemon.runs import run_store
from agi_daemon.runs.driver import RunDriver
from agi_daemon.runs.leases import Demand
from agi_daemon.runs.parts import Parts
from agi_daemon.runs.record import RunRecord

_log = get_log(__name__)


class Reconciler:
    """Closes the distance between what runs are and what they are meant to be."""

    def __init__(self, parts: Parts, resumption: Resumption = STEADY) -> None:
        self._parts = parts
        self._resumption = resumption
        self._drivers: dict[str, RunDriver] = {}
        self._tasks: dict[str, asyncio.Task[None]] = {}

    def adopt(self) -> None:
        """Take up the runs of an earlier daemon; what they hold is noted before any is granted."""
        records = self._parts.store.read(run_store.unsettled)
        held = self._parts.keys.held()
        self._parts.keys.tidy(self._parts.store.read(lambda db: run_store.settled(db, held)))
        for record in records:
            if record.run.state.value != "QUEUED":
                cores = record.resolution.cores
                self._parts.leases.adopt(Demand(record.number, record.run.id, cores))
        for record in records:
            _log.info("adopted", run=record.run.id, state=record.run.state.value)
            self.admit(record)

    def admit(self, record: RunRecord) -> None:
        """Start to drive a stored run."""
        self._drivers[record.run.id] = RunDriver(self._parts, record)
        driving = self._resumption.work(record.subject, lambda: self._drive(record.run.id))
        task = asyncio.create_task(driving, name=f"run {record.run.id}")
        self._tasks[record.run.id] = task
        task.add_done_callback(lambda _: self._forget(record.run.id))

    def ask_to_stop(self, run_id: str) -> None:
        """Tell the run's driver that the stored target is CANCELLED now."""
        driver = self._drivers.get(run_id)
        if driver is not None:
            driver.ask_to_stop()

    async def drain(self, host: str) -> None:
        """Have nothing more begun on a host by the runs that are under way."""
        await asyncio.gather(*(driver.drain(host) for driver in [*self._drivers.values()]))

    async def aclose(self) -> None:
        """Let go of all runs; they go on, and the next daemon takes them up."""
        tasks = list(self._tasks.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _drive(self, run_id: str) -> None:
        """Drive a run to its end; one whose driver failed gets another, of what is stored."""
        driver = self._drivers.pop(run_id, None)
        if driver is None:
            driver = RunDriver(
                self._parts, self._parts.store.read(lambda db: run_store.find(db, run_id))
            )
        self._drivers[run_id] = driver
        try:
            await driver.drive()
        except Exception:
            self._drivers.pop(run_id, None)
            raise

    def _forget(self, run_id: str) -> None:
        self._drivers.pop(run_id, None)
        self._tasks.pop(run_id, None)
