"""Bringing one run to its settled state, one persisted step at a time."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, nullcontext
from datetime import UTC, datetime
from typing import Any

from attrs import evolve, frozen

from agi_cluster.model.run import RunProgress, RunSlot, RunState
from agi_daemon.defects import defect
from agi_daemon.events import Events, Fact
from agi_daemon.hosts.abilities import Abilities
from agi_daemon.hosts.hosts import Hosts
from agi_daemon.install.builds import Builds
from agi_daemon.log import get_log
from agi_daemon.planning.plan_store import PlanContent
from agi_daemon.planning.plans import Plans
from agi_daemon.runs import run_directory, run_store
from agi_daemon.runs.absorb import named_after
from agi_daemon.runs.attachment import Attachment, attached
from agi_daemon.runs.cluster_settings import ClusterSettings
from agi_daemon.runs.journal_copy import JournalCopy, keeping_requests
from agi_daemon.runs.leases import CoreLeases, Demand
from agi_daemon.runs.next_step import Step, next_step
from agi_daemon.runs.record import RunRecord
from agi_daemon.runs.run_keys import RunKeys
from agi_daemon.runs.workers import Workers
from agi_daemon.store.store import Store
from agi_env.errors import AgiError, CancelledRunError, RunnerLostError
from agi_env.runtime.cluster_keys import ClusterKeys

_log = get_log(__name__)

MOST_BROKEN_LINES = 12
"""Lines to a runner that broke in a row before the far side spoke: then the run is given up."""

DEFAULT_GRACE_S = 10.0
"""Seconds that running partitions have to finish once a run is cancelled."""


@frozen(kw_only=True)
class Parts:
    """What a driver works with."""

    store: Store
    events: Events
    hosts: Hosts
    abilities: Abilities
    leases: CoreLeases
    builds: Builds
    plans: Plans
    keys: RunKeys
    cluster: ClusterSettings


class RunDriver:
    """Drives one run; whatever it does may be repeated after a crash."""

    def __init__(self, parts: Parts, record: RunRecord) -> None:
        self._parts = parts
        self._record = record
        self._broken_lines = 0
        # A future and no event: waiting for it takes no task, and thousands of queued runs wait.
        self._stop_asked: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        if record.run.target is RunState.CANCELLED:
            self.ask_to_stop()

    def ask_to_stop(self) -> None:
        """Take note that the stored target is CANCELLED now."""
        if not self._stop_asked.done():
            self._stop_asked.set_result(None)

    async def drive(self) -> None:
        """Take steps until the run is settled."""
        try:
            while (step := next_step(self._record)) is not Step.DONE:
                run = self._record.run
                _log.info("step", run=run.id, step=step.name, state=run.state.value)
                await self._take(step)
        finally:
            if self._record.run.state.settled:
                self._parts.keys.forget(self._record.run.id)
                self._parts.leases.release(self._record.run.id)

    async def _take(self, step: Step) -> None:
        actions = {
            Step.LEASE: self._lease,
            Step.INSTALL: self._install,
            Step.PLAN: self._plan,
            Step.START: self._start,
            Step.FOLLOW: self._follow,
            Step.GIVE_UP: self._give_up,
            Step.CANCEL: self._cancel,
        }
        try:
            await actions[step]()
        except AgiError as error:
            await self._settle(RunState.FAILED, error)
        except Exception as error:  # noqa: BLE001 - the boundary: logged, and the run says it
            told = defect(error, where=f"run {self._record.run.id}, {step.name}")
            await self._settle(RunState.FAILED, told)

    async def _lease(self) -> None:
        record = self._record
        demand = Demand(record.number, record.run.id, record.resolution.cores)
        granted = asyncio.create_task(
            self._parts.leases.acquire(demand), name=f"lease {record.run.id}"
        )
        if await self._unless_stopped(granted):
            await self._move(RunState.INSTALLING, [Fact(kind="cores_leased")])

    async def _install(self) -> None:
        record = self._record
        ensuring = asyncio.create_task(
            self._parts.builds.ensure(
                record.resolution.app_path,
                record.resolution.hosts,
                modes_enabled=record.resolution.modes_enabled,
                may_install=not record.no_install,
            ),
            name=f"build for {record.run.id}",
        )
        if not await self._unless_stopped(ensuring):
            return
        built = ensuring.result()
        run = evolve(record.run, release=built.release, installed=built.summary)
        self._record = evolve(
            self._record, run=run, build=built.worker_path, manager_build=built.manager_path
        )
        data = {"release": built.release, "unchanged": built.unchanged, "what": built.summary}
        await self._move(RunState.PLANNING, [Fact(kind="installed", data=data)])

    async def _plan(self) -> None:
        record = self._record
        if record.run.plan:
            content = self._parts.plans.content(record.run.plan)
        else:
            making = asyncio.create_task(
                self._parts.plans.make(record.resolution, record.manager_build),
                name=f"plan for {record.run.id}",
            )
            if not await self._unless_stopped(making):
                return
            content = making.result()
        plan = content.plan
        run = evolve(
            record.run,
            plan=plan.name,
            plan_digest=plan.digest,
            slots=tuple(RunSlot(index=s.index, host=s.host, cores=s.cores) for s in plan.slots),
            progress=RunProgress(total=plan.partition_count, weight_total=plan.total_weight),
        )
        self._record = evolve(self._record, run=run)
        data = {"plan": plan.name, "partitions": plan.partition_count}
        await self._move(RunState.STARTING, [Fact(kind="planned", data=data)])

    async def _start(self) -> None:
        transport = self._parts.hosts.transport(self._record.resolution.runner_host)
        place = str(run_directory.place_of(transport, self._record.run.id))
        paths = evolve(self._record.run.paths, run_directory=place)
        self._record = evolve(self._record, run=evolve(self._record.run, paths=paths))
        for host in self._record.resolution.hosts:
            await run_directory.write(
                self._parts.hosts.transport(host),
                self._record,
                self._content(),
                self._parts.cluster,
            )
        await self._move(RunState.RUNNING, [])

    async def _follow(self) -> None:
        """Persist a higher epoch, then join or start the runner in it and copy its journal."""
        record = self._record
        transport = self._parts.hosts.transport(record.resolution.runner_host)
        content = self._content()
        copy = JournalCopy(self._parts.store, self._parts.events, content, record.run.id)
        epoch = record.epoch + 1
        self._record = evolve(record, epoch=epoch)
        await self._save([])
        keys = await self._keys()
        async with (
            attached(transport, self._record, epoch, keys) as line,
            self._workers(keys, line) as workers,
        ):
            stopper = asyncio.create_task(self._pass_on_stop(line), name="cancel of a run")
            try:
                await self._copy(line, copy, workers)
            finally:
                stopper.cancel()
                await asyncio.gather(stopper, return_exceptions=True)
        if not self._record.run.state.settled:
            await self._after_a_loss(line)

    async def _keys(self) -> ClusterKeys | None:
        if not self._record.resolution.clustered:
            return None
        return await asyncio.to_thread(self._parts.keys.ensure, self._record.run.id)

    def _workers(
        self, keys: ClusterKeys | None, line: Attachment
    ) -> AbstractAsyncContextManager[Workers | None]:
        if keys is None:
            return nullcontext()
        return Workers(self._record, keys, self._parts.hosts.transport, line)

    async def _after_a_loss(self, line: Attachment) -> None:
        """Count what was lost: the runner itself, or only the line to it."""
        record = self._record
        event = "runner gone" if line.gone else "line broken"
        _log.warning(event, run=record.run.id, said=line.complaint())
        self._record = record = evolve(record, epoch=max(record.epoch, line.epoch))
        if line.gone:
            lost = Fact(kind="runner_lost", data={"exit": dict(line.gone)})
            self._record = evolve(record, fruitless_starts=record.fruitless_starts + 1)
            await self._save([lost])
            return
        self._broken_lines = 1 if line.epoch else self._broken_lines + 1
        if self._broken_lines >= MOST_BROKEN_LINES:
            raise line.refusal or RunnerLostError(
                f"its runner cannot be reached: {line.complaint()}", where=f"run {record.run.id}"
            )
        await asyncio.sleep(min(5.0, 0.05 * 2**self._broken_lines))

    async def _copy(self, line: Attachment, copy: JournalCopy, workers: Workers | None) -> None:
        async for records in line.batches():
            result = await self._result_of(records)
            self._record = await copy.take(self._record, records, result)
            if workers is not None:
                await workers.take(records, self._record.run)
            kinds = {record["kind"] for record in records}
            if "runner_started" in kinds and self._stop_asked.done():
                await line.cancel(self._grace())

    async def _result_of(self, records: Sequence[Mapping[str, Any]]) -> Any:
        """What ``reduce`` returned, if this batch says that it was published."""
        paths = [each["path"] for each in records if each["kind"] == "published"]
        if not paths:
            return self._record.run.result
        transport = self._parts.hosts.transport(self._record.resolution.runner_host)
        published = evolve(self._record.run.paths, published=paths[-1])
        run = evolve(self._record.run, paths=published)
        return await run_directory.read_result(transport, evolve(self._record, run=run))

    async def _pass_on_stop(self, line: Attachment) -> None:
        await asyncio.shield(self._stop_asked)
        await line.cancel(self._grace())

    def _grace(self) -> float:
        stored = self._parts.store.read(lambda db: run_store.find(db, self._record.run.id))
        return DEFAULT_GRACE_S if stored.cancel_grace is None else stored.cancel_grace

    async def _give_up(self) -> None:
        run = self._record.run
        raise RunnerLostError(
            f"its runner ended {self._record.fruitless_starts} times in a row without progress",
            where=f"run {run.id}",
            metadata={"run": run.id},
        )

    async def _cancel(self) -> None:
        error = CancelledRunError("it was cancelled before it started", where=self._record.run.id)
        await self._settle(RunState.CANCELLED, error)

    def _content(self) -> PlanContent:
        return self._parts.plans.content(self._record.run.plan)

    async def _unless_stopped(self, work: asyncio.Task[Any]) -> bool:
        """Wait for the work; when the run is cancelled first, end the work and say False."""
        try:
            either = {work, self._stop_asked}
            await asyncio.wait(either, return_when=asyncio.FIRST_COMPLETED)
            if work.done():
                work.result()
                return True
            self._record = evolve(
                self._record, run=evolve(self._record.run, target=RunState.CANCELLED)
            )
            return False
        finally:
            work.cancel()
            await asyncio.gather(work, return_exceptions=True)

    async def _move(self, state: RunState, facts: Sequence[Fact]) -> None:
        self._record = self._record.moved(state)
        moved = Fact(kind="state_changed", data={"state": state.value})
        await self._save([*facts, moved])

    async def _settle(self, state: RunState, error: AgiError | None) -> None:
        run = evolve(
            self._record.run,
            state=state,
            error=error and named_after(error, self._record.run.id),
            end_time=datetime.now(UTC),
            waiting_for="",
        )
        self._record = evolve(self._record, run=run)
        said = {"code": error.code, "metadata": error.to_metadata()} if error else None
        fact = Fact(kind="settled", data={"state": state.value, "error": said}, verbosity=0)
        await self._save([fact])

    async def _save(self, facts: Sequence[Fact]) -> None:
        self._record = await self._parts.store.keep(self._stored(facts))
        self._parts.events.announce(self._record.subject)

    def _stored(self, facts: Sequence[Fact]) -> Callable[[sqlite3.Connection], RunRecord]:
        record = self._record

        def work(connection: sqlite3.Connection) -> RunRecord:
            kept = keeping_requests(record, run_store.find(connection, record.run.id))
            run_store.update(connection, kept)
            self._parts.events.append(connection, record.subject, facts)
            return kept

        return work
