"""Benchmarks as the API offers them: accepted, measured, watched, stopped."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from functools import partial

from attrs import evolve

from agi_cluster.model.benchmark import Benchmark, BenchmarkRow, BenchmarkState
from agi_cluster.model.event import Event
from agi_cluster.model.modes import ModeVerdict, VerdictState
from agi_cluster.model.page import Page
from agi_cluster.model.requests import CreateBenchmark
from agi_cluster.model.selection import THIS_MACHINE
from agi_cluster.model.services import ModeService, RunService
from agi_daemon.apps.registry import Apps
from agi_daemon.apps.slots import known_as
from agi_daemon.benchmarks import benchmark_store
from agi_daemon.benchmarks.benchmark_store import BenchmarkRecord
from agi_daemon.benchmarks.measuring import Measuring
from agi_daemon.completion import completed
from agi_daemon.defects import defect
from agi_daemon.events import Events, Fact
from agi_daemon.resource_id import new_id
from agi_daemon.resumption import STEADY, Resumption
from agi_daemon.store import pages
from agi_daemon.store.requests import Claim, Requests
from agi_daemon.store.store import Store
from agi_env.app import full_name
from agi_env.errors import AgiError, CancelledRunError, ModeNotEnabledError, RequestInvalidError
from agi_env.mode import Mode
from agi_env.settings_change import refuse_argument_slips

MOST_REPEATS, MOST_WARMUPS = 100, 10


class Benchmarks:
    """Implements ``agi_cluster.model.services.BenchmarkService``."""

    def __init__(
        self,
        *,
        store: Store,
        requests: Requests,
        events: Events,
        apps: Apps,
        modes: ModeService,
        runs: RunService,
        resumption: Resumption = STEADY,
    ) -> None:
        self._store = store
        self._requests = requests
        self._events = events
        self._apps = apps
        self._modes = modes
        self._runs = runs
        self._resumption = resumption
        self._tasks: set[asyncio.Task[None]] = set()
        self._measuring: dict[str, Measuring] = {}

    async def create_benchmark(
        self, request: CreateBenchmark, *, request_id: str = "", validate_only: bool = False
    ) -> Benchmark:
        """Accept a benchmark and return it at once."""
        async with self._requests.claim(request_id, "CreateBenchmark", request) as claim:
            if claim.earlier:
                return await self.get_benchmark(claim.earlier)
            record = await self._ordered(request, dry_run=validate_only)
            if validate_only:
                return record.benchmark
            return await completed(self._take_up(record, claim))

    async def get_benchmark(self, name: str) -> Benchmark:
        """One benchmark with its table."""
        return self._record(name).benchmark

    async def list_benchmarks(
        self, *, page_size: int = 0, page_token: str = "", app: str = ""
    ) -> Page[Benchmark]:
        """A page of benchmarks, newest first."""
        limit = pages.page_limit(page_size)
        named = full_name(app.removeprefix("apps/")) if app else ""
        items, token = self._store.read(
            lambda db: benchmark_store.page(db, limit=limit, token=page_token, app=named)
        )
        return Page(items=items, next_page_token=token)

    def watch_benchmark(
        self, name: str, *, after_sequence: int = 0
    ) -> AsyncIterator[tuple[Benchmark | Event, int]]:
        """Yield a snapshot, the events after a number, and a last snapshot when it is settled."""
        return self._events.watch(
            f"benchmarks/{_plain(name)}",
            lambda: self._record(name).benchmark,
            after=after_sequence,
            settled=lambda: self._record(name).benchmark.state.settled,
        )

    async def cancel_benchmark(
        self, name: str, *, request_id: str = "", validate_only: bool = False
    ) -> Benchmark:
        """Ask a benchmark to stop; a settled one stays as it is."""
        async with self._requests.claim(request_id, "CancelBenchmark", name) as claim:
            record = self._record(claim.earlier or name)
            if claim.earlier or validate_only:
                return record.benchmark
            record = await completed(self._ask_to_stop(record.benchmark.id, claim))
            return record.benchmark

    def adopt(self) -> None:
        """Go on with the benchmarks of an earlier daemon."""
        for record in self._store.read(benchmark_store.unsettled):
            self._admit(record)

    async def aclose(self) -> None:
        """Stop; the next daemon goes on with what is not settled."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _ordered(self, request: CreateBenchmark, *, dry_run: bool) -> BenchmarkRecord:
        _check_counts(request)
        app, snapshot = await self._apps.read_settings(request.app, dry_run=dry_run)
        refuse_argument_slips(request.args, snapshot.settings.args, snapshot.path)
        modes = request.modes or await self._all_runnable(request)
        benchmark = Benchmark(
            id=new_id(app.target),
            app=app.name,
            state=BenchmarkState.MEASURING,
            repeats=request.repeats,
            warmups=request.warmups,
            rows=tuple(BenchmarkRow(mode=mode) for mode in dict.fromkeys(modes)),
            create_time=datetime.now(UTC),
            args=request.args,
        )
        return BenchmarkRecord(benchmark=benchmark, request=evolve(request, app=str(app.root)))

    async def _all_runnable(self, request: CreateBenchmark) -> list[Mode]:
        told = await self._modes.get_modes(request.app, request.selection)
        chosen = [verdict.mode for verdict in told.modes if not _refused(verdict, request)]
        if not chosen:
            raise ModeNotEnabledError("no mode can be run", where=told.app)
        return chosen

    async def _take_up(self, record: BenchmarkRecord, claim: Claim) -> Benchmark:
        def work(connection: sqlite3.Connection) -> None:
            benchmark_store.insert(connection, record)
            claim.remember(connection, record.benchmark.id)
            modes = [int(row.mode) for row in record.benchmark.rows]
            fact = Fact(kind="accepted", data={"app": record.benchmark.app, "modes": modes})
            self._events.append(connection, record.subject, [fact])

        await self._store.write(work)
        self._events.announce(record.subject)
        self._admit(record)
        return record.benchmark

    async def _ask_to_stop(self, benchmark_id: str, claim: Claim) -> BenchmarkRecord:
        def work(connection: sqlite3.Connection) -> BenchmarkRecord:
            record = benchmark_store.find(connection, benchmark_id)
            claim.remember(connection, benchmark_id)
            if record.benchmark.state.settled:
                return record
            asked = evolve(record.benchmark, target=BenchmarkState.CANCELLED)
            record = evolve(record, benchmark=asked)
            benchmark_store.update(connection, record)
            self._events.append(connection, record.subject, [Fact(kind="cancel_asked")])
            return record

        record = await self._store.write(work)
        self._events.announce(record.subject)
        if benchmark_id in self._measuring:
            self._measuring[benchmark_id].stop()
        return record

    def _admit(self, record: BenchmarkRecord) -> None:
        attempt = partial(self._carry_out, record.benchmark.id)
        carrying_out = self._resumption.work(record.subject, attempt)
        task = asyncio.create_task(carrying_out, name=record.subject)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _carry_out(self, benchmark_id: str) -> None:
        record, error = self._record(benchmark_id), None
        measuring = Measuring(record, self._runs, self._save, self._requests.made)
        self._measuring[benchmark_id] = measuring
        try:
            record = await measuring.measure()
        except AgiError as failure:
            error = failure
        except Exception as failure:  # noqa: BLE001 - the boundary: logged, and the benchmark says it
            error = defect(failure, where=record.subject)
        finally:
            del self._measuring[benchmark_id]
        settled = _settled(self._record(benchmark_id).benchmark, error)
        why = settled.error
        said = {"code": why.code, "metadata": why.to_metadata()} if why else None
        data = {"state": settled.state.value, "error": said}
        fact = Fact(kind="settled", data=data, verbosity=0)
        await self._save(evolve(record, benchmark=settled), fact)

    async def _save(self, record: BenchmarkRecord, fact: Fact) -> BenchmarkRecord:
        def work(connection: sqlite3.Connection) -> BenchmarkRecord:
            stored = benchmark_store.find(connection, record.benchmark.id)
            kept = evolve(
                record, benchmark=evolve(record.benchmark, target=stored.benchmark.target)
            )
            benchmark_store.update(connection, kept)
            self._events.append(connection, record.subject, [fact])
            return kept

        kept = await self._store.keep(work)
        self._events.announce(record.subject)
        return kept

    def _record(self, name: str) -> BenchmarkRecord:
        return self._store.read(lambda db: benchmark_store.find(db, _plain(name)))


def _plain(name: str) -> str:
    return name.removeprefix("benchmarks/")


def _settled(benchmark: Benchmark, error: AgiError | None) -> Benchmark:
    """The benchmark as it ends, after all its turns or where it was stopped."""
    state = BenchmarkState.SUCCEEDED
    if error is not None:
        state = BenchmarkState.FAILED
    elif benchmark.target is BenchmarkState.CANCELLED:
        anew = f"`agi run {benchmark.app} --benchmark` measures anew"
        state = BenchmarkState.CANCELLED
        error = CancelledRunError("the benchmark was cancelled", remedy=anew)
    elif benchmark.recommended is None:
        state = BenchmarkState.FAILED
        error = next((row.error for row in benchmark.rows if row.error), None)
    return evolve(benchmark, state=state, error=error, end_time=datetime.now(UTC))


def _refused(verdict: ModeVerdict, request: CreateBenchmark) -> bool:
    """Whether a mode cannot be run on the hosts that it would use."""
    used = {known_as(host) for host in request.selection.workers} or {THIS_MACHINE}
    hosts = {THIS_MACHINE} if Mode.CLUSTER not in verdict.mode else used
    return any(each.state is VerdictState.REFUSED for each in verdict.hosts if each.host in hosts)


def _check_counts(request: CreateBenchmark) -> None:
    if not 2 <= request.repeats <= MOST_REPEATS:
        raise RequestInvalidError(
            f"{request.repeats} is no number of repeats",
            where="repeats",
            remedy=f"Give 2 to {MOST_REPEATS}",
        )
    if not 0 <= request.warmups <= MOST_WARMUPS:
        raise RequestInvalidError(
            f"{request.warmups} is no number of warm-ups",
            where="warmups",
            remedy=f"Give 0 to {MOST_WARMUPS}",
        )
