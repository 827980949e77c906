"""Measuring one benchmark: its runs one after another, each mode in its turn.

Every run is asked for under a request id of its own, made from the benchmark's id, the mode and the
round: a daemon that takes the benchmark up again finds the runs that were begun, begins no run
twice, and leaves none going on where the benchmark was stopped.
"""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import Awaitable, Callable, Iterator
from contextlib import suppress
from typing import Any

from attrs import evolve, frozen

from agi_cluster.model.benchmark import Benchmark, BenchmarkRow, BenchmarkState
from agi_cluster.model.requests import StartRun
from agi_cluster.model.run import Run, RunState
from agi_cluster.model.services import RunService
from agi_daemon.benchmarks.benchmark_store import BenchmarkRecord
from agi_daemon.benchmarks.comparison import compared
from agi_daemon.events import Fact
from agi_daemon.runs import cancelling
from agi_env.errors import AgiError, RunFailedError, RunNotFoundError
from agi_env.mode import Mode

_QUIET = 0
_NO_GRACE_S = 0.0

Save = Callable[[BenchmarkRecord, Fact], Awaitable[BenchmarkRecord]]
"""Stores a record with what happened, and returns it with what was asked of it meanwhile."""

Begun = Callable[[str], str]
"""The run that was begun under a request id; empty if there is none."""


@frozen
class Turn:
    """One run of a benchmark."""

    mode: Mode
    round: int
    counts: bool


class Measuring:
    """Brings one benchmark to its settled state.

    Args:
        record: The benchmark.
        runs: Where its runs are asked for.
        save: Stores it.
        begun: Finds a run again.
    """

    def __init__(self, record: BenchmarkRecord, runs: RunService, save: Save, begun: Begun) -> None:
        self._record = record
        self._runs = runs
        self._save = save
        self._begun = begun
        self._result: Any = None
        self._first: Mode | None = None
        self._stop_asked = asyncio.Event()
        if record.benchmark.target is BenchmarkState.CANCELLED:
            self._stop_asked.set()

    async def measure(self) -> BenchmarkRecord:
        """Take every turn, or those until it is stopped; the benchmark, still to be settled.

        Raises:
            AgiError: It was stopped, and a run of it cannot be.
        """
        for turn in turns(self._record.benchmark):
            if self._stop_asked.is_set():
                break
            if self._row(turn.mode).error is None:
                await self._take(turn)
        if self._stop_asked.is_set():
            await self._leave_none()
        return self._record

    def stop(self) -> None:
        """Take no further turn, and end the run that is under way."""
        self._stop_asked.set()

    async def _leave_none(self) -> None:
        """See that the runs end that were begun and are not counted, whoever began them.

        They are those of the rounds that come next, as a row has a run for each round before.
        """
        rows = self._record.benchmark.rows
        asked = [self._request_id(row.mode, len(row.runs)) for row in rows]
        begun = [run_id for each in asked if (run_id := self._begun(each))]
        untold = await cancelling.see_told(self._runs, begun, _NO_GRACE_S)
        for run_id in begun:
            if run_id in untold:
                raise _goes_on(run_id, untold[run_id])
            with suppress(RunNotFoundError):
                await self._ended(run_id)

    async def _stopping(self, run_id: str) -> None:
        """Stop the run that is under way once that is asked; it is asked again at the end."""
        await self._stop_asked.wait()
        await cancelling.see_told(self._runs, [run_id], _NO_GRACE_S)

    async def _take(self, turn: Turn) -> None:
        row = self._row(turn.mode)
        try:
            run = await self._run(turn)
            if run.id in row.runs:  # it was counted before the daemon was restarted
                self._compare_result(turn, run)
                return
            if self._stop_asked.is_set():
                return
            row = self._counted(turn, row, run)
        except AgiError as error:
            row = evolve(row, error=error)
        await self._keep(row, turn)

    async def _run(self, turn: Turn) -> Run:
        asked = self._record.request
        request = StartRun(
            app=asked.app,
            mode=turn.mode,
            selection=asked.selection,
            args=asked.args,
            verbose=_QUIET,
        )
        request_id = self._request_id(turn.mode, turn.round)
        started = await self._runs.start_run(request, request_id=request_id)
        stopper = asyncio.create_task(self._stopping(started.id), name=f"stop of {started.id}")
        try:
            return await self._ended(started.id) or started
        finally:
            stopper.cancel()
            await asyncio.gather(stopper, return_exceptions=True)

    def _request_id(self, mode: Mode, number: int) -> str:
        name = f"{self._record.benchmark.id}/{int(mode)}/{number}"
        return str(uuid.uuid5(uuid.NAMESPACE_URL, name))

    async def _ended(self, run_id: str) -> Run | None:
        """The run as it ended."""
        last = None
        async for update, _ in self._runs.watch_run(run_id):
            last = update if isinstance(update, Run) else last
        return last

    def _counted(self, turn: Turn, row: BenchmarkRow, run: Run) -> BenchmarkRow:
        row = evolve(row, runs=(*row.runs, run.id))
        if run.state is not RunState.SUCCEEDED:
            what = f"run {run.id} ended {run.state.value}"
            return evolve(row, error=run.error or RunFailedError(what))
        differs = row.differs or self._compare_result(turn, run)
        if not turn.counts:
            return evolve(row, differs=differs)
        cpu = sum(slot.cpu_seconds for slot in run.slots)
        return evolve(
            row,
            seconds=(*row.seconds, seconds_of(run)),
            cpu_seconds=(*row.cpu_seconds, cpu),
            differs=differs,
        )

    def _compare_result(self, turn: Turn, run: Run) -> bool:
        """Whether the result is another than that of the first mode that succeeded."""
        if self._first is None:
            self._first, self._result = turn.mode, run.result
        return turn.mode is not self._first and run.result != self._result

    async def _keep(self, row: BenchmarkRow, turn: Turn) -> None:
        benchmark = self._record.benchmark
        rows = tuple(row if each.mode is row.mode else each for each in benchmark.rows)
        told = compared(rows)
        benchmark = evolve(
            benchmark, rows=told.rows, recommended=told.recommended, advice=told.advice
        )
        data = {
            "mode": int(row.mode),
            "round": turn.round,
            "counts": turn.counts,
            "run": row.runs[-1] if row.runs else "",
            "seconds": row.seconds[-1] if turn.counts and row.seconds else None,
            "error": str(row.error) if row.error else "",
        }
        fact = Fact(kind="measured", data=data)
        self._record = await self._save(evolve(self._record, benchmark=benchmark), fact)

    def _row(self, mode: Mode) -> BenchmarkRow:
        return next(row for row in self._record.benchmark.rows if row.mode is mode)


def turns(benchmark: Benchmark) -> Iterator[Turn]:
    """The runs in their order: in each round every mode once, the first one rotating.

    So what the machine does otherwise meanwhile strikes all modes alike.
    """
    modes = [row.mode for row in benchmark.rows]
    for number in range(benchmark.warmups + benchmark.repeats):
        first = number % len(modes)
        for mode in (*modes[first:], *modes[:first]):
            yield Turn(mode, number, number >= benchmark.warmups)


def _goes_on(run_id: str, why: AgiError) -> RunFailedError:
    return RunFailedError(
        f"its run goes on, as it cannot be told to stop: {why.what}",
        where=f"runs/{run_id}",
        remedy=f"`agi runs cancel {run_id}` tells it",
    )


def seconds_of(run: Run) -> float:
    """From the start of its runner until it was settled: without installing, planning, waiting."""
    if run.start_time is None or run.end_time is None:
        return 0.0
    return (run.end_time - run.start_time).total_seconds()
