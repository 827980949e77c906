"""Measuring one benchmark: its runs one after another, each mode in its turn.

Every run is asked for under a request id of its own, made from the benchmark's id, the mode and the
round: a daemon that takes the benchmark up again finds the runs that were begun, and begins no
run twice.
"""

from __future__ import annotations

import uuid
from collections.abc import Awaitable, Callable, Iterator
from typing import Any

from attrs import evolve, frozen

from agi_cluster.model.benchmark import Benchmark, BenchmarkRow, BenchmarkState
from agi_cluster.model.requests import StartRun
from agi_cluster.model.run import Run, RunState
from agi_cluster.model.services import RunService
from agi_daemon.benchmarks.benchmark_store import BenchmarkRecord
from agi_daemon.benchmarks.comparison import compared
from agi_daemon.events import Fact
from agi_env.errors import AgiError, RunFailedError
from agi_env.mode import Mode

_QUIET = 0

Save = Callable[[BenchmarkRecord, Fact], Awaitable[BenchmarkRecord]]
"""Stores a record with what happened, and returns it with what was asked of it meanwhile."""


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
    """

    def __init__(self, record: BenchmarkRecord, runs: RunService, save: Save) -> None:
        self._record = record
        self._runs = runs
        self._save = save
        self._result: Any = None
        self._first: Mode | None = None
        self._current = ""
        self._stopped = record.benchmark.target is BenchmarkState.CANCELLED

    async def measure(self) -> BenchmarkRecord:
        """Take every turn, or those until it is stopped; the benchmark, still to be settled."""
        for turn in turns(self._record.benchmark):
            if self._stopped:
                break
            if self._row(turn.mode).error is None:
                await self._take(turn)
        return self._record

    async def stop(self) -> None:
        """Take no further turn, and end the run that is under way."""
        self._stopped = True
        if self._current:
            await self._runs.cancel_run(self._current, grace_seconds=0.0)

    async def _take(self, turn: Turn) -> None:
        row = self._row(turn.mode)
        try:
            run = await self._run(turn)
            if run.id in row.runs:  # it was counted before the daemon was restarted
                self._compare_result(turn, run)
                return
            if self._stopped:
                return
            row = self._counted(turn, row, run)
        except AgiError as error:
            row = evolve(row, error=error)
        await self._keep(row, turn)

    async def _run(self, turn: Turn) -> Run:
        asked, benchmark = self._record.request, self._record.benchmark
        request = StartRun(
            app=asked.app,
            mode=turn.mode,
            selection=asked.selection,
            args=asked.args,
            verbose=_QUIET,
        )
        name = f"{benchmark.id}/{int(turn.mode)}/{turn.round}"
        started = await self._runs.start_run(
            request, request_id=str(uuid.uuid5(uuid.NAMESPACE_URL, name))
        )
        self._current = started.id
        if self._stopped:
            await self.stop()
        last = started
        async for update, _ in self._runs.watch_run(started.id):
            last = update if isinstance(update, Run) else last
        self._current = ""
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


def seconds_of(run: Run) -> float:
    """From the start of its runner until it was settled: without installing, planning, waiting."""
    if run.start_time is None or run.end_time is None:
        return 0.0
    return (run.end_time - run.start_time).total_seconds()
