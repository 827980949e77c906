"""Pruning: first the directories on all hosts, then the rows, so that nothing is left behind.

A run whose directory is gone and whose row is there is pruned the next time; a directory without a
row would be taken for a run that was lost, and be restored.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Mapping, Sequence

from attrs import evolve, frozen

from agi_cluster.model.pruning import PrunedPipelineRun, PrunedRun, PrunePolicy, Pruning
from agi_daemon.log import get_log
from agi_daemon.pruning import old
from agi_daemon.pruning.old import OldRun
from agi_daemon.pruning.pipeline_pruner import PipelinePruner
from agi_daemon.resource_id import new_id
from agi_daemon.runs.directories import Removal, remove_runs
from agi_daemon.store.store import Store
from agi_daemon.transport.host_transport import HostTransport
from agi_env.errors import AgiError, HostError, HostNotFoundError

_log = get_log(__name__)

_TOGETHER = 100
"""Runs whose directories are removed by one command, and whose rows by one transaction."""


@frozen
class _Times:
    """Before which moment things are old, in unix seconds."""

    runs: float
    events: float
    requests: float

    @classmethod
    def of(cls, policy: PrunePolicy) -> _Times:
        """As a policy says now; what it leaves open is never old."""
        now = time.time()
        ages = (policy.older_than, policy.events_older_than, policy.requests_older_than)
        return cls(*(0.0 if age is None else now - age for age in ages))


class Pruner:
    """Forgets what is old.

    Args:
        store: Where it is kept.
        transport: The way to each host.
        pipelines: Forgets executions of pipelines.
    """

    def __init__(
        self,
        store: Store,
        transport: Callable[[str], HostTransport],
        pipelines: PipelinePruner,
    ) -> None:
        self._store = store
        self._transport = transport
        self._pipelines = pipelines
        self._one_at_a_time = asyncio.Lock()

    async def prune(self, policy: PrunePolicy, *, dry_run: bool) -> Pruning:
        """Forget what a policy calls old, or only say what that is."""
        async with self._one_at_a_time:
            times = _Times.of(policy)
            executions = await self._prune_pipeline_runs(times, policy, dry_run=dry_run)
            runs = await self._prune_runs(times, policy, dry_run=dry_run)
            pruning = evolve(
                await self._counted(times),
                id=new_id("pruning"),
                runs=tuple(runs),
                pipeline_runs=executions,
            )
            if not dry_run:
                await self._forget(times)
                _log.info(
                    "pruned",
                    runs=len(pruning.gone),
                    pipeline_runs=len(pruning.gone_pipeline_runs),
                    events=pruning.events,
                )
            return pruning

    async def _prune_pipeline_runs(
        self, times: _Times, policy: PrunePolicy, *, dry_run: bool
    ) -> tuple[PrunedPipelineRun, ...]:
        if policy.older_than is None:
            return ()
        return await self._pipelines.prune(before=times.runs, keep=policy.keep, dry_run=dry_run)

    async def _prune_runs(
        self, times: _Times, policy: PrunePolicy, *, dry_run: bool
    ) -> list[PrunedRun]:
        if policy.older_than is None:
            return []
        found = await self._store.read_apart(
            lambda db: list(old.runs(db, before=times.runs, keep=policy.keep))
        )
        pruned: list[PrunedRun] = []
        silent: dict[str, str] = {}
        for start in range(0, len(found), _TOGETHER):
            some = found[start : start + _TOGETHER]
            pruned += await self._prune_some(some, silent, dry_run=dry_run)
        return pruned

    async def _prune_some(
        self, some: Sequence[OldRun], silent: dict[str, str], *, dry_run: bool
    ) -> list[PrunedRun]:
        by_host: dict[str, list[str]] = {}
        for each in some:
            for host in each.hosts:
                by_host.setdefault(host, []).append(each.record.run.id)
        removing = (
            self._remove(host, ids, silent, dry_run=dry_run) for host, ids in by_host.items()
        )
        removals = await asyncio.gather(*removing)
        pruned = [_told(each, removals) for each in some]
        gone = [each.id for each in pruned if not each.problem]
        if not dry_run:
            await self._store.write(lambda tx: old.forget_runs(tx, gone))
        return pruned

    async def _remove(
        self, host: str, run_ids: Sequence[str], silent: dict[str, str], *, dry_run: bool
    ) -> dict[str, Removal]:
        """Remove what a host has of these runs; one that did not answer is not asked again."""
        if host not in silent:
            try:
                return await remove_runs(self._transport(host), run_ids, dry_run=dry_run)
            except HostNotFoundError:
                # Nobody can go there any more: what is left there is not ours to hold a run for.
                return {}
            except HostError as error:
                silent[host] = str(error)
            except AgiError as error:
                return {each: Removal(0, str(error)) for each in run_ids}
        return {each: Removal(0, silent[host]) for each in run_ids}

    async def _forget(self, times: _Times) -> None:
        while await self._store.write(lambda tx: old.forget_events(tx, before=times.events)):
            pass
        await self._store.write(lambda tx: old.forget_requests(tx, before=times.requests))

    async def _counted(self, times: _Times) -> Pruning:
        return await self._store.read_apart(
            lambda db: Pruning(
                events=old.count_events(db, before=times.events),
                requests=old.count_requests(db, before=times.requests),
            )
        )


def _told(each: OldRun, removals: Sequence[Mapping[str, Removal]]) -> PrunedRun:
    run = each.record.run
    found = [removal[run.id] for removal in removals if run.id in removal]
    return PrunedRun(
        id=run.id,
        app=run.app,
        end_time=run.end_time,
        bytes=sum(one.bytes for one in found),
        kept=run.paths.kept,
        problem="; ".join(one.problem for one in found if one.problem),
    )
