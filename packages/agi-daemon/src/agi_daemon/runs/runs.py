"""Runs as the API offers them: accept, look, watch, cancel."""

from __future__ import annotations

import sqlite3
from collections.abc import AsyncIterator, Callable, Sequence
from datetime import UTC, datetime

from attrs import evolve

from agi_cluster.model.event import Event
from agi_cluster.model.page import Page
from agi_cluster.model.plan import PlannedPartition
from agi_cluster.model.pruning import PrunePolicy, Pruning
from agi_cluster.model.requests import CreatePlan, StartRun
from agi_cluster.model.run import PartitionState, Run, RunPartition, RunState
from agi_cluster.model.snippet import SNIPPET_API
from agi_daemon.apps.devices import with_devices
from agi_daemon.apps.registry import Apps
from agi_daemon.apps.resolution import Limits, resolve
from agi_daemon.completion import completed
from agi_daemon.events import Fact
from agi_daemon.planning import plan_store
from agi_daemon.pruning.pruner import Pruner
from agi_daemon.resource_id import new_id
from agi_daemon.runs import retry, run_store
from agi_daemon.runs.chosen_plan import ChosenPlan
from agi_daemon.runs.driver import DEFAULT_GRACE_S
from agi_daemon.runs.journal_copy import keeping_requests
from agi_daemon.runs.parts import Parts
from agi_daemon.runs.reconciler import Reconciler
from agi_daemon.runs.record import RunRecord
from agi_daemon.runs.run_logs import RunLogs
from agi_daemon.snippets.staleness import differences_since
from agi_daemon.store import pages
from agi_daemon.store.codec import dump, load
from agi_daemon.store.requests import Claim, Requests
from agi_env.app import full_name
from agi_env.errors import RequestInvalidError
from agi_env.settings import Settings
from agi_env.settings_change import refuse_argument_slips


class Runs:
    """Implements ``agi_cluster.model.services.RunService``."""

    def __init__(
        self,
        parts: Parts,
        apps: Apps,
        requests: Requests,
        reconciler: Reconciler,
        pruner: Pruner,
    ) -> None:
        self._parts = parts
        self._pruner = pruner
        self._apps = apps
        self._requests = requests
        self._reconciler = reconciler

    async def start_run(
        self, request: StartRun, *, request_id: str = "", validate_only: bool = False
    ) -> Run:
        """Accept a run; once this returns, no crash loses it."""
        async with self._requests.claim(request_id, "StartRun", request) as claim:
            if claim.earlier:
                return await self.get_run(claim.earlier)
            record = await self._ordered(request, dry_run=validate_only)
            if validate_only:
                return record.run
            return await completed(self._take_up(record, claim))

    async def get_run(self, name: str) -> Run:
        """One run, with what it waits for now."""
        return self._waiting(self._run(name))

    async def list_runs(
        self,
        *,
        page_size: int = 0,
        page_token: str = "",
        app: str = "",
        states: Sequence[RunState] = (),
    ) -> Page[Run]:
        """A page of runs, newest first, without their results."""
        limit = pages.page_limit(page_size)
        named = full_name(app.removeprefix("apps/")) if app else ""
        items, token = self._parts.store.read(
            lambda db: run_store.page(db, limit=limit, token=page_token, app=named, states=states)
        )
        return Page(items=[self._waiting(run) for run in items], next_page_token=token)

    async def list_run_partitions(
        self, parent: str, *, page_size: int = 0, page_token: str = ""
    ) -> Page[RunPartition]:
        """A page of a run's partitions in plan order; empty before there is a plan."""
        record = self._record(parent)
        limit = pages.page_limit(page_size, default=1000, most=10_000)
        start = int(pages.position_of(page_token, record.subject) or 0)
        if not record.run.plan:
            return Page(items=())
        plan = await self._parts.plans.get_plan(record.run.plan)
        planned = self._parts.store.read(
            lambda db: plan_store.page_of_partitions(db, plan, start=start, limit=limit + 1)
        )
        more = planned[limit:]
        ids = [each.id for each in planned[:limit]]
        known = self._parts.store.read(lambda db: run_store.partitions(db, record.run.id, ids))
        items = [known.get(each.id) or _waiting(each) for each in planned[:limit]]
        token = pages.page_token(start + limit, record.subject) if more else ""
        return Page(items=items, next_page_token=token)

    def watch_run(
        self, name: str, *, after_sequence: int = 0, verbose: int | None = None
    ) -> AsyncIterator[tuple[Run | Event, int]]:
        """Yield a snapshot, the events after a number, and a last snapshot when it is settled."""
        run_id = _plain(name)
        return self._parts.events.watch(
            f"runs/{run_id}",
            lambda: self._waiting(self._run(run_id)),
            after=after_sequence,
            settled=lambda: self._parts.store.read(lambda db: run_store.is_settled(db, run_id)),
            level=lambda: self._record(run_id).resolution.verbose if verbose is None else verbose,
        )

    async def cancel_run(
        self,
        name: str,
        *,
        grace_seconds: float | None = None,
        request_id: str = "",
        validate_only: bool = False,
    ) -> Run:
        """Ask a run to stop; a settled run stays as it is."""
        if grace_seconds is not None and not 0 <= grace_seconds <= 3600:
            raise RequestInvalidError(
                f"{grace_seconds} is no grace period",
                where="grace_seconds",
                remedy="Give 0 to 3600 seconds",
            )
        content = (name, grace_seconds)
        async with self._requests.claim(request_id, "CancelRun", content) as claim:
            record = self._record(claim.earlier or name)
            if claim.earlier or validate_only:
                return record.run
            grace = DEFAULT_GRACE_S if grace_seconds is None else grace_seconds
            return await completed(self._ask_to_stop(record.run.id, grace, claim))

    async def retry_run(
        self,
        name: str,
        *,
        current_sources: bool = False,
        request_id: str = "",
        validate_only: bool = False,
    ) -> Run:
        """Accept a run of what a settled one did not do; what it did is taken over."""
        content = (name, current_sources)
        async with self._requests.claim(request_id, "RetryRun", content) as claim:
            if claim.earlier:
                return await self.get_run(claim.earlier)
            record = await self._retrying(self._record(name), current_sources=current_sources)
            if validate_only:
                return record.run
            return await completed(self._take_up(record, claim))

    async def _retrying(self, first: RunRecord, *, current_sources: bool) -> RunRecord:
        run_id, now = new_id(first.resolution.target), datetime.now(UTC)
        record = retry.retried(first, run_id, now, current_sources=current_sources)
        self._parts.hosts.admit(record.resolution.hosts)
        if not current_sources:
            await retry.require_same_sources(first, self._parts.builds.installer)
        await retry.require_kept(first, self._parts.hosts.transport(first.runner_host))
        return record

    async def read_run_log(
        self, name: str, *, file: str = "", follow: bool = False
    ) -> AsyncIterator[tuple[str, str]]:
        """Yield what the run's processes printed, and what they print until it is settled."""
        record = self._record(name)
        logs = RunLogs(self._parts.hosts, lambda: self._record(record.run.id), file)
        async for piece in logs.follow() if follow else logs.read():
            yield piece

    async def prune_runs(
        self, policy: PrunePolicy, *, request_id: str = "", validate_only: bool = False
    ) -> Pruning:
        """Forget what is old, or only say what would go."""
        async with self._requests.claim(request_id, "PruneRuns", policy) as claim:
            if claim.earlier:
                return load(claim.earlier, Pruning)
            return await completed(self._prune(policy, claim, dry_run=validate_only))

    async def _prune(self, policy: PrunePolicy, claim: Claim, *, dry_run: bool) -> Pruning:
        pruning = await self._pruner.prune(policy, dry_run=dry_run)
        if not dry_run:
            # A repeat after a crash in between finds less to do, and does that.
            await self._parts.store.write(lambda tx: claim.remember(tx, dump(pruning)))
        return pruning

    async def _ordered(self, request: StartRun, *, dry_run: bool) -> RunRecord:
        """The run that a request amounts to, not stored yet."""
        app, snapshot = await self._apps.read_settings(request.app, dry_run=dry_run)
        if request.snippet is None:  # what a snippet says was settings when it was rendered
            refuse_argument_slips(request.args, snapshot.settings.args, snapshot.path)
        chosen = await self._chosen(request)
        asked = chosen.asked(request) if chosen else request
        resolution = resolve(
            app,
            snapshot.settings,
            cores_of=self._parts.hosts.cores,
            selection=asked.selection,
            mode=asked.mode,
            args=asked.args,
            verbose=asked.verbose,
            limits=Limits(
                partition_timeout=request.partition_timeout,
                run_timeout=request.run_timeout,
                max_attempts=request.max_attempts,
            ),
        )
        warnings = self._warnings(request, snapshot.settings)
        if chosen:
            resolution, more = chosen.fitting(request, resolution)
            warnings += more
        self._parts.hosts.admit(resolution.hosts)
        release = self._parts.builds.digest_of(app, request.release)
        resolution = await with_devices(resolution, self._parts.abilities)
        run = Run(
            id=new_id(app.target),
            app=app.name,
            mode=resolution.mode,
            state=RunState.QUEUED,
            create_time=datetime.now(UTC),
            plan=chosen.plan.name if chosen else "",
            warnings=warnings,
            args=resolution.args,
            verbose=resolution.verbose,
        )
        call = CreatePlan(app=app.name, selection=asked.selection, mode=asked.mode, args=asked.args)
        return RunRecord(
            number=0,
            run=run,
            resolution=resolution,
            no_install=request.no_install,
            release=release,
            call=call,
            stale_plan=request.stale_plan,
        )

    async def _chosen(self, request: StartRun) -> ChosenPlan | None:
        """The plan that was asked for; None: a new one."""
        if not request.plan:
            return None
        plan = await self._parts.plans.get_plan(request.plan)
        origin = self._parts.store.read(lambda db: plan_store.origin(db, plan.id))
        return ChosenPlan(plan, origin)

    def _warnings(self, request: StartRun, settings: Settings) -> tuple[str, ...]:
        origin = request.snippet
        if origin is None:
            return ()
        if origin.api != SNIPPET_API:
            raise RequestInvalidError(
                f"the snippet is written against {origin.api!r}",
                where="snippet",
                remedy=f"Render it again with `agi snippet run APP`; this is {SNIPPET_API}",
                metadata={"app": request.app},
            )
        return differences_since(self._parts.store, origin.settings_digest, settings)

    async def _take_up(self, record: RunRecord, claim: Claim) -> Run:
        stored = await self._parts.store.write(self._accept(record, claim))
        self._parts.events.announce(stored.subject)
        self._reconciler.admit(stored)
        return stored.run

    async def _ask_to_stop(self, run_id: str, grace: float, claim: Claim) -> Run:
        stopped = await self._parts.store.write(self._stop(run_id, grace, claim))
        self._parts.events.announce(stopped.subject)
        self._reconciler.ask_to_stop(run_id)
        return stopped.run

    def _accept(self, record: RunRecord, claim: Claim) -> Callable[[sqlite3.Connection], RunRecord]:
        def work(connection: sqlite3.Connection) -> RunRecord:
            stored = run_store.insert(connection, record)
            claim.remember(connection, record.run.id)
            fact = Fact(kind="accepted", data={"app": record.run.app, "mode": int(record.run.mode)})
            self._parts.events.append(connection, record.subject, [fact])
            return stored

        return work

    def _stop(
        self, run_id: str, grace: float, claim: Claim
    ) -> Callable[[sqlite3.Connection], RunRecord]:
        def work(connection: sqlite3.Connection) -> RunRecord:
            record = run_store.find(connection, run_id)
            claim.remember(connection, run_id)
            if record.run.state.settled:
                return record
            run = evolve(record.run, target=RunState.CANCELLED)
            asked = evolve(record, run=run, cancel_grace=grace)
            record = keeping_requests(asked, asked)
            run_store.update(connection, record)
            fact = Fact(kind="cancel_asked", data={"grace_seconds": grace})
            self._parts.events.append(connection, record.subject, [fact])
            return record

        return work

    def _waiting(self, run: Run) -> Run:
        """The run with what it waits for now."""
        if run.state.settled:
            return run
        waits_for = self._parts.leases.waits_for(run.id) or self._parts.store.waits_for
        return evolve(run, waiting_for=waits_for) if waits_for else run

    def _run(self, name: str) -> Run:
        return self._parts.store.read(lambda db: run_store.find_run(db, _plain(name)))

    def _record(self, name: str) -> RunRecord:
        return self._parts.store.read(lambda db: run_store.find(db, _plain(name)))


def _plain(name: str) -> str:
    return name.removeprefix("runs/")


def _waiting(planned: PlannedPartition) -> RunPartition:
    return RunPartition(
        id=planned.id,
        label=planned.label,
        weight=planned.weight,
        state=PartitionState.WAITING,
        slot=planned.slot,
    )
