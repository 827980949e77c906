"""Bringing one run to its settled state, one persisted step at a time."""

from __future__ import annotations

import asyncio
import sqlite3
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, nullcontext
from datetime import UTC, datetime
from typing import Any

from attrs import evolve

from agi_cluster.model.plan import Plan
from agi_cluster.model.requests import CreatePlan, StalePlan
from agi_cluster.model.run import RunProgress, RunSlot, RunState
from agi_cluster.model.selection import THIS_MACHINE
from agi_daemon.defects import defect
from agi_daemon.events import Fact
from agi_daemon.log import get_log
from agi_daemon.planning.naming import LOG_TAIL
from agi_daemon.planning.plan_store import PlanContent
from agi_daemon.runs import run_directory, run_store
from agi_daemon.runs.absorb import named_after, shown
from agi_daemon.runs.attachment import Attachment, attached
from agi_daemon.runs.exit_cause import exit_cause
from agi_daemon.runs.journal_copy import JournalCopy, keeping_requests
from agi_daemon.runs.leases import Demand
from agi_daemon.runs.meeting import meeting_host, successor
from agi_daemon.runs.next_step import Step, next_step
from agi_daemon.runs.parts import Parts
from agi_daemon.runs.preparation import prepared
from agi_daemon.runs.reach import UNHEARD
from agi_daemon.runs.record import RunRecord
from agi_daemon.runs.retry import kept_area, refuse_other_sources
from agi_daemon.runs.standby import Standby
from agi_daemon.runs.starting import write_all
from agi_daemon.runs.workers import REACH_PAUSE_S, Workers
from agi_daemon.transport.host_transport import HostTransport
from agi_env.errors import AgiError, CancelledRunError, RunnerLostError
from agi_env.runtime.cluster_keys import ClusterKeys

_log = get_log(__name__)

MOST_BROKEN_LINES = 12
"""Lines to a runner that broke in a row before the far side spoke: then the run is given up."""

DEFAULT_GRACE_S = 10.0
"""Seconds that running partitions have to finish once a run is cancelled."""


_NOTHING = "partitions() named nothing: there was nothing to do"


class RunDriver:
    """Drives one run; whatever it does may be repeated after a crash."""

    def __init__(self, parts: Parts, record: RunRecord) -> None:
        self._parts = parts
        self._record = record
        self._broken_lines = 0
        self._unreached_since: float | None = None
        self._line: Attachment | None = None
        self._standby = Standby()
        # A future and no event: waiting for it takes no task, and thousands of queued runs wait.
        self._stop_asked: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        if record.run.target is RunState.CANCELLED:
            self.ask_to_stop()

    def ask_to_stop(self) -> None:
        """Take note that the stored target is CANCELLED now."""
        if not self._stop_asked.done():
            self._stop_asked.set_result(None)

    async def drain(self, host: str) -> None:
        """Have nothing more begun on a host; a run that has no runner yet says so when it has."""
        for slot in self._record.resolution.slots:
            if slot.host == host and self._line is not None:
                await self._line.drain(slot.index)

    async def drive(self) -> None:
        """Take steps until the run is settled."""
        try:
            while (step := next_step(self._record)) is not Step.DONE:
                run = self._record.run
                _log.info("step", run=run.id, step=step.name, state=run.state.value)
                await self._take(step)
        finally:
            if self._record.run.state.settled:
                self._parts.leases.release(self._record.run.id)
                self._parts.keys.forget(self._record.run.id)
            await self._standby.close()

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
            prepared(record, self._parts), name=f"build for {record.run.id}"
        )
        if not await self._unless_stopped(ensuring):
            return
        built = ensuring.result()
        refuse_other_sources(record, built.release)
        run = evolve(record.run, release=built.release, installed=built.summary)
        self._record = evolve(
            self._record,
            run=run,
            builds=dict(built.worker_paths),
            manager_build=built.manager_path,
        )
        data = {"release": built.release, "unchanged": built.unchanged, "what": built.summary}
        await self._move(RunState.PLANNING, [Fact(kind="installed", data=data)])

    async def _plan(self) -> None:
        record = self._record
        home = self._parts.hosts.transport(record.runner_host)
        self._standby.prepare(home, run_directory.python_of(home, record))
        planning = asyncio.create_task(self._planned(record), name=f"plan for {record.run.id}")
        try:
            if not await self._unless_stopped(planning):
                return
        except AgiError as error:
            await self._keep_printed(error.metadata.get(LOG_TAIL, ""))
            raise
        plan = planning.result()
        await self._keep_printed(plan.printed)
        run = evolve(
            self._record.run,
            plan=plan.name,
            plan_digest=plan.digest,
            slots=tuple(RunSlot(index=s.index, host=s.host, cores=s.cores) for s in plan.slots),
            progress=RunProgress(total=plan.partition_count, weight_total=plan.total_weight),
            warnings=record.run.warnings + (() if plan.partition_count else (_NOTHING,)),
        )
        self._record = evolve(self._record, run=run)
        data = {"plan": plan.name, "partitions": plan.partition_count, "change": plan.change}
        await self._move(RunState.STARTING, [Fact(kind="planned", data=data)])

    async def _keep_printed(self, printed: str) -> None:
        """Keep what the app printed while it named its partitions with what its workers will."""
        if not printed:
            return
        await self._keys()  # before any directory, as at the start
        home = self._parts.hosts.transport(self._record.runner_host)
        await run_directory.keep_planning_log(home, self._record, printed)
        place = str(run_directory.place_of(home, self._record.run.id))
        run = self._record.run
        run = evolve(run, paths=evolve(run.paths, run_directory=place))
        self._record = evolve(self._record, run=run)

    async def _planned(self, record: RunRecord) -> Plan:
        """The plan to execute: the one that was named, a new one, or a new one with its edits."""
        plans, resolution, build = self._parts.plans, record.resolution, record.manager_build
        call = record.call or CreatePlan(app=resolution.app)
        if record.run.plan and record.stale_plan is not StalePlan.REBASE:
            return await plans.confirm(record.run.plan, resolution, build, record.stale_plan)
        return await plans.make(evolve(call, rebase=record.run.plan), resolution, build)

    async def _start(self) -> None:
        """Write the run's directories; after a move, only the new runner's, with the journal."""
        transports = self._parts.hosts.transport
        await self._keys()  # before any directory: one without keys here is another daemon's
        try:
            meeting = await meeting_host(self._record, transports)
            home = transports(self._record.runner_host)
            paths = evolve(
                self._record.run.paths,
                run_directory=str(run_directory.place_of(home, self._record.run.id)),
            )
            run = evolve(self._record.run, paths=paths)
            self._record = evolve(self._record, run=run, meeting_host=meeting)
            await write_all(self._record, self._parts, self._content())
        except UNHEARD as error:
            if not self._record.moved_to:
                raise
            await self._move_runner(error)
            return
        await self._move(RunState.RUNNING, [])

    async def _follow(self) -> None:
        """Join or start the runner and copy its journal, until one of them ends.

        Whatever goes wrong on the way to the runner, or on this side, says nothing about it: only
        the far side's own verdict, or trouble again and again, ends the run.
        """
        line: Attachment | None = None
        workers: Workers | None = None
        try:
            transport, copy, keys = await self._next_epoch()
            epoch = self._record.epoch
            async with (
                attached(transport, self._record, epoch, keys, self._standby) as line,
                self._workers(keys, line) as workers,
            ):
                await self._listen(line, copy, workers)
        except Exception as error:  # noqa: BLE001 - the boundary: logged, and tried again or raised
            if not self._record.run.state.settled:
                await self._not_heard(error, line)
                return
            _log.warning("trouble after the end", run=self._record.run.id, reason=str(error))
        if not self._record.run.state.settled:
            await self._after_a_loss(line)
        elif workers is not None or not (line and line.gone):
            unseen = () if line and line.gone else (self._record.runner_host,)
            left = {*(workers.left if workers else ()), *unseen}
            self._record = await self._parts.clearing.conclude(self._record.run.id, left)

    async def _next_epoch(self) -> tuple[HostTransport, JournalCopy, ClusterKeys | None]:
        """Persist a higher epoch; what the runner is reached with, and its journal copied."""
        record = self._record
        transport = self._parts.hosts.transport(record.runner_host)
        copy = JournalCopy(self._parts.store, self._parts.events, self._content(), record.run.id)
        self._record = evolve(record, epoch=record.epoch + 1)
        await self._save([])
        return transport, copy, await self._keys()

    async def _not_heard(self, error: Exception, line: Attachment | None) -> None:
        """Something keeps the runner from being heard: try again, unless there is no hope."""
        if line is not None and error is line.verdict:
            raise error
        if isinstance(error, UNHEARD):
            await self._out_of_reach(error)
            return
        self._broken_lines += 1
        _log.warning("no line to the runner", run=self._record.run.id, reason=str(error))
        if self._broken_lines >= MOST_BROKEN_LINES:
            raise error
        await self._pause_between_lines()

    async def _pause_between_lines(self) -> None:
        await asyncio.sleep(min(5.0, 0.05 * 2**self._broken_lines))

    async def _listen(self, line: Attachment, copy: JournalCopy, workers: Workers | None) -> None:
        stopper = asyncio.create_task(self._pass_on_stop(line), name="cancel of a run")
        self._line = line
        try:
            for host in self._record.resolution.cores:
                if host in self._parts.hosts.drained():
                    await self.drain(host)
            await self._copy(line, copy, workers)
        finally:
            self._line = None
            stopper.cancel()
            await asyncio.gather(stopper, return_exceptions=True)

    async def _out_of_reach(self, error: AgiError) -> None:
        """The runner's host does not answer, which says nothing about the runner: wait, then move.

        A runner that lives on there finds a later epoch in the work area, and ends.
        """
        now = time.monotonic()
        if self._unreached_since is None:
            self._unreached_since = now
            _log.warning("runner out of reach", run=self._record.run.id, reason=error.what)
            facts = {"host": self._record.runner_host, "reason": error.what}
            await self._save([Fact(kind="runner_out_of_reach", data=facts)])
        if now - self._unreached_since >= self._parts.cluster.patience:
            await self._move_runner(error)
        else:
            await asyncio.sleep(min(REACH_PAUSE_S, self._parts.cluster.patience / 4))

    async def _move_runner(self, error: AgiError) -> None:
        """Choose the host that has the runner from now on."""
        record = self._record
        lost, chosen = record.runner_host, successor(record)
        if chosen is None:
            raise error
        self._unreached_since = None
        self._record = evolve(record, moved_to=chosen, scheduler=None)
        data = {"from": lost, "to": chosen, "reason": error.what}
        await self._move(RunState.STARTING, [Fact(kind="runner_moved", data=data, verbosity=0)])

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

    async def _after_a_loss(self, line: Attachment | None) -> None:
        """Count what was lost: the runner itself, or only the line to it."""
        assert line is not None  # one that could not be had has raised
        record = self._record
        event = "runner gone" if line.gone else "line broken"
        _log.warning(event, run=record.run.id, said=line.complaint())
        self._record = record = evolve(record, epoch=max(record.epoch, line.epoch))
        if line.gone:
            cause = exit_cause(line.gone)
            data = {"exit": dict(line.gone), "cause": cause.to_dict()}
            lost = Fact(kind="runner_lost", data=data)
            run = evolve(record.run, runner_lost=shown(cause.to_dict()))
            self._record = evolve(record, run=run, fruitless_starts=record.fruitless_starts + 1)
            await self._save([lost])
            return
        self._broken_lines = 1 if line.epoch else self._broken_lines + 1
        if self._broken_lines >= MOST_BROKEN_LINES:
            raise line.refusal or RunnerLostError(
                f"its runner cannot be reached: {line.complaint()}", where=f"run {record.run.id}"
            )
        await self._pause_between_lines()

    async def _copy(self, line: Attachment, copy: JournalCopy, workers: Workers | None) -> None:
        async for records in line.batches():
            self._unreached_since = None
            result = await self._result_of(records)
            self._record = await copy.take(self._record, records, result, self._record.met_hosts)
            self._broken_lines = 0
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
        transport = self._parts.hosts.transport(self._record.runner_host)
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
            metadata={"run": run.id, "kind": run.runner_lost.kind if run.runner_lost else ""},
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
        if self._record.run.state.settled:  # its journal has said so, which counts
            what = error.what if error else ""
            _log.warning("trouble after the end", run=self._record.run.id, reason=what)
            return
        run = evolve(
            self._record.run,
            state=state,
            error=error and named_after(error, self._record.run),
            end_time=datetime.now(UTC),
            waiting_for="",
            paths=evolve(self._record.run.paths, kept=kept_area(self._record)),
        )
        record = evolve(self._record, run=run)
        error = run.error
        said = {"code": error.code, "metadata": error.to_metadata()} if error else None
        fact = Fact(kind="settled", data={"state": state.value, "error": said}, verbosity=0)
        owed = record.suspects
        # Its end is the store's to say: until that has it, the run goes on here too.
        await self._save([fact], owed, record)
        if owed:
            self._record = await self._parts.clearing.conclude(run.id, owed)
        here = self._parts.hosts.transport(THIS_MACHINE)
        await run_directory.keep_verdict(here, self._record)

    async def _save(
        self, facts: Sequence[Fact], owed: Sequence[str] = (), record: RunRecord | None = None
    ) -> None:
        """Store the run as it is here, or this record of it; then it is so here too."""
        work = self._stored(record or self._record, facts, owed)
        self._record = await self._parts.store.keep(work)
        self._parts.events.announce(self._record.subject)

    def _stored(
        self, record: RunRecord, facts: Sequence[Fact], owed: Sequence[str]
    ) -> Callable[[sqlite3.Connection], RunRecord]:
        def work(connection: sqlite3.Connection) -> RunRecord:
            kept = keeping_requests(record, run_store.find(connection, record.run.id))
            run_store.update(connection, kept)
            run_store.owe(connection, record.run.id, owed)
            self._parts.events.append(connection, record.subject, facts)
            return kept

        return work
