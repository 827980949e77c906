"""The owner of all drivers of pipelines: one task per execution that is not settled."""

from __future__ import annotations

import asyncio

from agi_daemon.log import get_log
from agi_daemon.pipelines import pipeline_run_store
from agi_daemon.pipelines.driver import PipelineDriver, PipelineParts
from agi_daemon.resumption import STEADY, Resumption

_log = get_log(__name__)


class PipelineReconciler:
    """Closes the distance between what executions are and what they are meant to be."""

    def __init__(self, parts: PipelineParts, resumption: Resumption = STEADY) -> None:
        self._parts = parts
        self._resumption = resumption
        self._drivers: dict[str, PipelineDriver] = {}
        self._tasks: dict[str, asyncio.Task[None]] = {}

    def adopt(self) -> None:
        """Take up the executions of an earlier daemon."""
        for record in self._parts.store.read(pipeline_run_store.unsettled):
            _log.info("adopted", pipeline_run=record.run.id)
            self.admit(record.run.id)

    def admit(self, run_id: str) -> None:
        """Start to drive a stored execution."""
        driving = self._resumption.work(f"pipelineRuns/{run_id}", lambda: self._drive(run_id))
        task = asyncio.create_task(driving, name=f"pipeline run {run_id}")
        self._tasks[run_id] = task
        task.add_done_callback(lambda _: self._forget(run_id))

    def wake(self, run_id: str) -> None:
        """Tell the driver of an execution that its record was changed."""
        driver = self._drivers.get(run_id)
        if driver is not None:
            driver.wake()

    async def aclose(self) -> None:
        """Let go of all executions; their steps go on, and the next daemon takes them up."""
        tasks = list(self._tasks.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _drive(self, run_id: str) -> None:
        """Drive an execution, from what is stored of it, to its end."""
        driver = self._drivers[run_id] = PipelineDriver(self._parts, run_id)
        await driver.drive()

    def _forget(self, run_id: str) -> None:
        self._drivers.pop(run_id, None)
        self._tasks.pop(run_id, None)
