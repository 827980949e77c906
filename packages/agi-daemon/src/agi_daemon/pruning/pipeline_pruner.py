"""Pruning executions of pipelines: the directories of their steps, then the rows.

All of it is on this machine. A directory whose row is there is removed the next time, and so is
what a kill in between left of it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from attrs import evolve

from agi_cluster.model.pipeline_run import PipelineRun
from agi_cluster.model.pruning import PrunedPipelineRun
from agi_daemon.pruning import old_pipeline_runs as old
from agi_daemon.runs.on_host import directories
from agi_daemon.store.store import Store

_TOGETHER = 100
"""Executions whose directories are removed by one thread, and whose rows by one transaction."""


class PipelinePruner:
    """Forgets old executions.

    Args:
        store: Where they are kept.
        folder: Where the directories of their steps are.
    """

    def __init__(self, store: Store, folder: Path) -> None:
        self._store = store
        self._folder = folder

    async def prune(
        self, *, before: float, keep: int, dry_run: bool
    ) -> tuple[PrunedPipelineRun, ...]:
        """Forget what was settled before a time, or only say what that is.

        Args:
            before: Unix seconds.
            keep: How many settled ones of each file stay in any case.
            dry_run: Nothing goes.
        """
        found = await self._store.read_apart(
            lambda db: list(old.pipeline_runs(db, before=before, keep=keep))
        )
        pruned: list[PrunedPipelineRun] = []
        for start in range(0, len(found), _TOGETHER):
            some = found[start : start + _TOGETHER]
            pruned += await (self._weigh(some) if dry_run else self._forget(some))
        return tuple(pruned)

    async def _weigh(self, some: Sequence[PipelineRun]) -> list[PrunedPipelineRun]:
        return await asyncio.to_thread(self._each, directories.weighed, some)

    async def _forget(self, some: Sequence[PipelineRun]) -> list[PrunedPipelineRun]:
        told = await asyncio.to_thread(self._removed, some)
        gone = [each.id for each in told if not each.problem]
        stay = await self._store.write(lambda tx: old.forget_pipeline_runs(tx, gone))
        problem = "another execution goes on from it"
        return [evolve(each, problem=problem) if each.id in stay else each for each in told]

    def _removed(self, some: Sequence[PipelineRun]) -> list[PrunedPipelineRun]:
        told = self._each(directories.removed, some)
        directories.sweep(str(self._folder))
        return told

    def _each(
        self, act: Callable[[str, str], dict[str, Any]], some: Sequence[PipelineRun]
    ) -> list[PrunedPipelineRun]:
        """Do the same with the directory of each; what cannot be done to one is told of it."""
        told = []
        for run in some:
            try:
                found = act(str(self._folder), run.id)
            except OSError as error:
                found = {"bytes": 0, "problem": error.strerror or str(error)}
            told.append(_told(run, **found))
        return told


def _told(run: PipelineRun, **found: Any) -> PrunedPipelineRun:
    return PrunedPipelineRun(
        id=run.id, file=run.file, module=run.module, end_time=run.end_time, **found
    )
