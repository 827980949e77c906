"""Executions of pipelines as the API offers them: accept, look, watch, stop, go on."""

from __future__ import annotations

import re
import sqlite3
from collections.abc import AsyncIterator, Callable, Sequence
from datetime import UTC, datetime

from attrs import evolve

from agi_cluster.model.event import Event
from agi_cluster.model.page import Page
from agi_cluster.model.pipeline import PipelineStep, StepState
from agi_cluster.model.pipeline_run import PipelineRun, PipelineRunState, StepExecution
from agi_daemon.completion import completed
from agi_daemon.events import Fact
from agi_daemon.pipelines import continuation, ordering, pipeline_run_store, transitions
from agi_daemon.pipelines.driver import PipelineParts
from agi_daemon.pipelines.pipelines import Found, Pipelines
from agi_daemon.pipelines.reconciler import PipelineReconciler
from agi_daemon.pipelines.run_record import PipelineRunRecord, StepOrder
from agi_daemon.pipelines.step_logs import StepLogs
from agi_daemon.resource_id import new_id
from agi_daemon.store import pages
from agi_daemon.store.requests import Claim, Requests
from agi_env.errors import RefusedError, RequestInvalidError, StepNotFoundError, StepStaleError

DEFAULT_GRACE_S = 10.0
"""Seconds that processes have to end once they are told to."""

_WORD = re.compile(r"[^a-z0-9_]+")


class PipelineRuns:
    """Implements ``agi_cluster.model.services.PipelineRunService``."""

    def __init__(
        self,
        parts: PipelineParts,
        requests: Requests,
        pipelines: Pipelines,
        reconciler: PipelineReconciler,
    ) -> None:
        self._parts = parts
        self._requests = requests
        self._pipelines = pipelines
        self._reconciler = reconciler

    async def start_pipeline_run(
        self,
        file: str,
        *,
        module: str = "",
        steps: Sequence[str] = (),
        refresh: bool = False,
        allow_stale: bool = False,
        request_id: str = "",
        validate_only: bool = False,
    ) -> PipelineRun:
        """Accept an execution; once this returns, no crash loses it."""
        content = (file, module, tuple(steps), refresh, allow_stale)
        async with self._requests.claim(request_id, "StartPipelineRun", content) as claim:
            if claim.earlier:
                return await self.get_pipeline_run(claim.earlier)
            found = await self._pipelines.find(file, module)
            asked = {found.step(each).id for each in steps}
            if refresh:
                names = await self._stale_names(found, ordering.executions(found.module, asked))
                found = await self._pipelines.refresh(found, names, dry_run=validate_only)
            record = self._made(found, ordering.executions(found.module, asked))
            return await self._accepted(found, record, claim, allow_stale, dry_run=validate_only)

    async def rerun_pipeline(
        self, name: str, *, request_id: str = "", validate_only: bool = False
    ) -> PipelineRun:
        """Execute exactly what an earlier execution did."""
        async with self._requests.claim(request_id, "RerunPipeline", (name,)) as claim:
            if claim.earlier:
                return await self.get_pipeline_run(claim.earlier)
            earlier = self._record(name)
            steps, orders = continuation.repeated(earlier)
            run = earlier.run
            record = _new(run.file, run.module, run.etag, steps, orders, origin=run.id)
            return await self._take(record, claim, dry_run=validate_only)

    async def resume_pipeline_run(
        self,
        name: str,
        *,
        allow_stale: bool = False,
        request_id: str = "",
        validate_only: bool = False,
    ) -> PipelineRun:
        """Go on with a settled execution: what has not succeeded, or was changed since."""
        content = (name, allow_stale)
        async with self._requests.claim(request_id, "ResumePipelineRun", content) as claim:
            if claim.earlier:
                return await self.get_pipeline_run(claim.earlier)
            earlier = self._record(name)
            if not earlier.run.state.settled:
                raise _goes_on(earlier)
            found = await self._pipelines.find(earlier.run.file, earlier.run.module)
            steps = continuation.resumed(_as_before(found, earlier), earlier)
            record = self._made(found, steps, earlier.run.id)
            return await self._accepted(found, record, claim, allow_stale, dry_run=validate_only)

    async def retry_pipeline_step(
        self, name: str, step: str, *, request_id: str = "", validate_only: bool = False
    ) -> PipelineRun:
        """Execute one step again: in the execution while it goes on, else in a new one."""
        async with self._requests.claim(request_id, "RetryPipelineStep", (name, step)) as claim:
            if claim.earlier:
                return await self.get_pipeline_run(claim.earlier)
            earlier = self._record(name)
            ended = _step(earlier, step)
            step = ended.step
            if earlier.run.state.settled:
                found = await self._pipelines.find(earlier.run.file, earlier.run.module)
                now = _as_before(found, earlier)
                steps = continuation.only(now, earlier, found.step(step).id)
                record = self._made(found, steps, earlier.run.id)
                return await self._accepted(found, record, claim, True, dry_run=validate_only)
            if not ended.state.settled or ended.state.fulfilled:
                raise RefusedError(
                    f"the step is {ended.state.value}",
                    where=f"step {step}",
                    remedy="Only a step that did not succeed can be tried again while others run",
                )
            if validate_only:
                return earlier.run
            return await completed(self._change(earlier, transitions.retried(step), claim))

    async def get_pipeline_run(self, name: str) -> PipelineRun:
        """One execution."""
        return self._run(name)

    async def list_pipeline_runs(
        self, *, page_size: int = 0, page_token: str = "", file: str = ""
    ) -> Page[PipelineRun]:
        """A page of executions, newest first, without the code of their steps."""
        limit = pages.page_limit(page_size)
        items, token = self._parts.store.read(
            lambda db: pipeline_run_store.page(db, limit=limit, token=page_token, file=file)
        )
        marked = [self._parts.links.marked(run) for run in items]
        return Page(items=marked, next_page_token=token)

    def watch_pipeline_run(
        self, name: str, *, after_sequence: int = 0
    ) -> AsyncIterator[tuple[PipelineRun | Event, int]]:
        """Yield a snapshot, the events after a number, and a last snapshot when it is settled."""
        return self._parts.events.watch(
            f"pipelineRuns/{_plain(name)}",
            lambda: self._run(name),
            after=after_sequence,
            settled=lambda: self._record(name).run.state.settled,
        )

    async def cancel_pipeline_run(
        self,
        name: str,
        *,
        step: str = "",
        grace_seconds: float | None = None,
        request_id: str = "",
        validate_only: bool = False,
    ) -> PipelineRun:
        """Ask an execution, or one step of it, to stop, with the runs that it started."""
        if grace_seconds is not None and not 0 <= grace_seconds <= 3600:
            raise RequestInvalidError(
                f"{grace_seconds} is no grace period",
                where="grace_seconds",
                remedy="Give 0 to 3600 seconds",
            )
        content = (name, step, grace_seconds)
        async with self._requests.claim(request_id, "CancelPipelineRun", content) as claim:
            record = self._record(claim.earlier or name)
            if step:
                step = _step(record, step).step
            if claim.earlier or validate_only:
                return record.run
            grace = DEFAULT_GRACE_S if grace_seconds is None else grace_seconds
            return await completed(self._change(record, transitions.stopping(grace, step), claim))

    async def read_pipeline_run_log(
        self, name: str, *, step: str = "", follow: bool = False
    ) -> AsyncIterator[tuple[str, str]]:
        """Yield the text that steps printed, as far as it is written, or until they have ended."""
        record = self._record(name)
        if step:
            step = _step(record, step).step
        logs = StepLogs(self._parts.folder, lambda: self._record(name), step)
        async for piece in logs.follow() if follow else logs.read():
            yield piece

    async def _accepted(
        self,
        found: Found,
        record: PipelineRunRecord,
        claim: Claim,
        allow_stale: bool,
        *,
        dry_run: bool,
    ) -> PipelineRun:
        """Take up an execution, unless a step of it is stale or there is nothing to do."""
        if not record.places(StepState.WAITING):
            raise RefusedError(
                "there is nothing to execute",
                where=record.run.file,
                remedy="`agi pipeline show` says why; `agi pipeline rerun` repeats what succeeded",
            )
        stale = await self._stale(found, record.run.steps)
        if stale and not allow_stale:
            raise _refused(stale, record.run.file)
        warnings = tuple(f"{each.id}: {change.detail}" for each in stale for change in each.stale)
        return await self._take(
            evolve(record, run=evolve(record.run, warnings=warnings)), claim, dry_run=dry_run
        )

    async def _stale(self, found: Found, steps: Sequence[StepExecution]) -> list[PipelineStep]:
        """Those of the steps to be executed that are stale."""
        waiting = [step.step for step in steps if step.state is StepState.WAITING]
        looked = [await self._pipelines.fresh(found.step(each)) for each in waiting]
        return [step for step in looked if step.stale]

    async def _stale_names(self, found: Found, steps: Sequence[StepExecution]) -> tuple[str, ...]:
        return tuple(step.id for step in await self._stale(found, steps))

    def _made(
        self, found: Found, steps: tuple[StepExecution, ...], origin: str = ""
    ) -> PipelineRunRecord:
        orders = tuple(ordering.order_of(each.step) for each in found.module.steps)
        file = str(found.file.path)
        return _new(file, found.module.name, found.file.etag, steps, orders, origin=origin)

    async def _take(self, record: PipelineRunRecord, claim: Claim, *, dry_run: bool) -> PipelineRun:
        if dry_run:
            return record.run
        return await completed(self._take_up(record, claim))

    async def _take_up(self, record: PipelineRunRecord, claim: Claim) -> PipelineRun:
        await self._parts.store.write(self._accepting(record, claim))
        self._parts.events.announce(record.subject)
        self._reconciler.admit(record.run.id)
        return record.run

    async def _change(
        self, record: PipelineRunRecord, change: transitions.Change, claim: Claim
    ) -> PipelineRun:
        def work(connection: sqlite3.Connection) -> PipelineRunRecord:
            claim.remember(connection, record.run.id)
            return transitions.apply(connection, self._parts.events, record.run.id, change)

        changed = await self._parts.store.write(work)
        self._parts.events.announce(record.subject)
        self._reconciler.wake(record.run.id)
        return changed.run

    def _accepting(
        self, record: PipelineRunRecord, claim: Claim
    ) -> Callable[[sqlite3.Connection], None]:
        def work(connection: sqlite3.Connection) -> None:
            pipeline_run_store.insert(connection, record)
            claim.remember(connection, record.run.id)
            count = len(record.places(StepState.WAITING))
            data = {"file": record.run.file, "module": record.run.module, "steps": count}
            self._parts.events.append(
                connection, record.subject, [Fact(kind="accepted", data=data)]
            )

        return work

    def _run(self, name: str) -> PipelineRun:
        """The execution as clients see it."""
        return self._parts.links.marked(self._record(name).run)

    def _record(self, name: str) -> PipelineRunRecord:
        return self._parts.store.read(lambda db: pipeline_run_store.find(db, _plain(name)))


def _plain(name: str) -> str:
    return name.removeprefix("pipelineRuns/")


def _new(
    file: str,
    module: str,
    etag: str,
    steps: tuple[StepExecution, ...],
    orders: tuple[StepOrder, ...],
    *,
    origin: str = "",
) -> PipelineRunRecord:
    run = PipelineRun(
        id=new_id(_WORD.sub("-", module.lower()).strip("-") or "pipeline"),
        file=file,
        module=module,
        state=PipelineRunState.RUNNING,
        create_time=datetime.now(UTC),
        etag=etag,
        steps=steps,
        origin=origin,
    )
    return PipelineRunRecord(run=run, orders=orders)


def _as_before(found: Found, earlier: PipelineRunRecord) -> tuple[StepExecution, ...]:
    """The steps of the file now, those chosen that were so in an earlier execution."""
    known = {each.step.id for each in found.module.steps}
    executed = [step.step for step in earlier.run.steps if step.state is not StepState.LEFT_OUT]
    return ordering.executions(found.module, {step for step in executed if step in known})


def _step(record: PipelineRunRecord, step: str) -> StepExecution:
    index = record.index(step)
    if index is None:
        known = ", ".join(each.step for each in record.run.steps)
        raise StepNotFoundError(
            f"it has no step {step!r}",
            where=f"pipelineRuns/{record.run.id}",
            remedy=f"It has {known}",
            metadata={"step": step},
        )
    return record.run.steps[index]


def _goes_on(record: PipelineRunRecord) -> RefusedError:
    return RefusedError(
        "it goes on still",
        where=f"pipelineRuns/{record.run.id}",
        remedy=f"`agi pipeline watch {record.run.id}` follows it",
    )


def _refused(stale: Sequence[PipelineStep], file: str) -> StepStaleError:
    said = [f"{step.id} ({'; '.join(each.detail for each in step.stale)})" for step in stale]
    return StepStaleError(
        f"stale: {', '.join(said)}",
        where=file,
        metadata={"steps": ",".join(step.id for step in stale)},
    )
