"""Bringing one execution of a pipeline to its end; whatever is done may be done again."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

from attrs import frozen

from agi_cluster.model.pipeline import StepState
from agi_cluster.model.pipeline_run import StepExecution
from agi_daemon.defects import defect
from agi_daemon.events import Events
from agi_daemon.log import get_log
from agi_daemon.pipelines import outputs, pipeline_run_store, transitions
from agi_daemon.pipelines.links import Links
from agi_daemon.pipelines.next_moves import next_moves
from agi_daemon.pipelines.run_record import PipelineRunRecord
from agi_daemon.pipelines.step_driver import StepDriver
from agi_daemon.pipelines.transitions import Change
from agi_daemon.store.store import Store
from agi_daemon.transport.host_transport import HostTransport
from agi_env.errors import AgiError

_log = get_log(__name__)


@frozen(kw_only=True)
class PipelineParts:
    """What a driver works with."""

    store: Store
    events: Events
    transport: HostTransport
    """This machine: steps run here, their runs wherever the hosts are."""
    links: Links
    folder: Path
    """Where the directories of executions are."""
    address: str
    """Where the daemon serves."""


class PipelineDriver:
    """Drives one execution: a task for each step that runs, and one that decides."""

    def __init__(self, parts: PipelineParts, run_id: str) -> None:
        self._parts = parts
        self._run_id = run_id
        self._changed = asyncio.Event()
        self._steps: dict[int, StepDriver] = {}

    def wake(self) -> None:
        """Take note that the stored record is another one now."""
        self._changed.set()

    async def drive(self) -> None:
        """Go on until the execution is settled."""
        async with asyncio.TaskGroup() as group:
            while not (record := self.record()).run.state.settled:
                self._changed.clear()
                self._adopt(record, group)
                if not await self._move(record):
                    await self._changed.wait()

    def record(self) -> PipelineRunRecord:
        """The execution as it is stored."""
        return self._parts.store.read(lambda db: pipeline_run_store.find(db, self._run_id))

    async def change(self, change: Change) -> PipelineRunRecord:
        """Change the stored record in one transaction, and tell what happened."""
        record = await self._parts.store.keep(self._changing(change))
        self._parts.events.announce(record.subject)
        self._changed.set()
        return record

    def _adopt(self, record: PipelineRunRecord, group: asyncio.TaskGroup) -> None:
        """See that each step that runs has a task, and that those to be stopped know it."""
        for index in record.places(StepState.RUNNING):
            if index not in self._steps:
                driver = StepDriver(self._parts, self, index)
                self._steps[index] = driver
                group.create_task(self._follow(driver), name=f"step {index} of {self._run_id}")
            grace = record.orders[index].stop_grace
            if grace is not None:
                self._steps[index].ask_to_stop(grace)

    async def _follow(self, driver: StepDriver) -> None:
        try:
            await driver.drive()
        except AgiError as error:
            await self.change(transitions.failed(driver.index, error))
        except Exception as error:  # noqa: BLE001 - the boundary: logged, and the step says it
            told = defect(error, where=f"pipelineRuns/{self._run_id}")
            await self.change(transitions.failed(driver.index, told))
        finally:
            self._steps.pop(driver.index, None)
            self._changed.set()

    async def _move(self, record: PipelineRunRecord) -> bool:
        """Do what is next; false if there is nothing to do but wait."""
        moves = next_moves(record)
        if moves.cancel or moves.block:
            await self.change(transitions.never(moves.cancel, moves.block))
        elif moves.settle is not None:
            await self.change(transitions.settled)
        for index in moves.start:
            await self._begin(record.run.steps[index], index)
        return bool(moves.cancel or moves.block or moves.settle or moves.start)

    async def _begin(self, step: StepExecution, index: int) -> None:
        order = self.record().orders[index]
        if order.skip_if_outputs_exist and order.outputs:
            file = self.record().run.file
            made = await asyncio.to_thread(outputs.recorded, order.outputs, file)
            if all(each.place for each in made):
                await self.change(transitions.skipped(index, made))
                return
        _log.info("step", pipeline_run=self._run_id, step=step.step)
        await self.change(transitions.begun(index, datetime.now(UTC)))

    def _changing(self, change: Change) -> Callable[[sqlite3.Connection], PipelineRunRecord]:
        def work(connection: sqlite3.Connection) -> PipelineRunRecord:
            return transitions.apply(connection, self._parts.events, self._run_id, change)

        return work
