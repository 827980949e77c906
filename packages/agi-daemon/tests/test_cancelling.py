"""Cancels whose second half is lost: no run goes on of a benchmark or a step that was stopped."""

from __future__ import annotations

import asyncio
import sqlite3
import uuid
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from attrs import evolve

from agi_cluster.model.benchmark import Benchmark, BenchmarkRow, BenchmarkState
from agi_cluster.model.pipeline import StepState
from agi_cluster.model.pipeline_run import PipelineRun, PipelineRunState, StepExecution
from agi_cluster.model.requests import CreateBenchmark, StartRun
from agi_cluster.model.run import Run, RunState
from agi_daemon.benchmarks.benchmark_store import BenchmarkRecord
from agi_daemon.benchmarks.measuring import Measuring
from agi_daemon.events import Events, Fact
from agi_daemon.pipelines import pipeline_run_store, transitions
from agi_daemon.pipelines.driver import PipelineDriver, PipelineParts
from agi_daemon.pipelines.links import Links
from agi_daemon.pipelines.run_record import PipelineRunRecord, StepOrder
from agi_daemon.runs import cancelling
from agi_daemon.store.requests import STEP_TOKEN, Requests
from agi_daemon.store.store import Store
from agi_daemon.transport.local import LocalTransport
from agi_env.errors import (
    AgiError,
    CancelledRunError,
    DiskFullError,
    InternalError,
    RunFailedError,
    RunNotFoundError,
    StateUnreadableError,
    StepFailedError,
    StepTimeoutError,
)
from agi_env.mode import Mode

NOW = datetime(2026, 1, 2, tzinfo=UTC)
FULL = DiskFullError("no space is left for the store")
BROKEN = StateUnreadableError("the store cannot be used")
DEADLINE_S = 60.0

LEAVES = """\
import pathlib, signal, sys, time
signal.signal(signal.SIGTERM, lambda *_: sys.exit({code}))
pathlib.Path("ready").touch()
time.sleep(600)
"""
"""A step that leaves when it is told to, and with it the runs that it started."""


class GatedRuns:
    """Runs that go on until they are cancelled, which fails as often as a test wants."""

    def __init__(self) -> None:
        self.runs: dict[str, Run] = {}
        self.requests: dict[str, str] = {}
        self.faults: list[Exception] = []
        self.tries: list[str] = []
        self.tokens: set[str] = set()
        self.changed = asyncio.Condition()

    def begin(self, name: str, request_id: str = "") -> Run:
        run = Run(id=name, app="a", mode=Mode(0), state=RunState.RUNNING, create_time=NOW)
        self.runs[name] = run
        self.requests[request_id] = name
        return run

    def begun(self, request_id: str) -> str:
        return self.requests.get(request_id, "")

    async def start_run(self, _: StartRun, *, request_id: str = "") -> Run:
        async with self.changed:
            self.changed.notify_all()
            earlier = self.requests.get(request_id)
            return self.runs[earlier] if earlier else self.begin(f"r{len(self.runs)}", request_id)

    async def get_run(self, name: str) -> Run:
        if name not in self.runs:
            raise RunNotFoundError(f"there is no run {name}")
        return self.runs[name]

    async def cancel_run(self, name: str, *, grace_seconds: float) -> Run:
        self.tries.append(name)
        self.tokens.add(STEP_TOKEN.get())
        if self.faults:
            raise self.faults.pop(0)
        async with self.changed:
            run = evolve(await self.get_run(name), target=RunState.CANCELLED)
            self.runs[name] = evolve(run, state=RunState.CANCELLED)
            self.changed.notify_all()
        return run

    async def watch_run(self, name: str) -> AsyncIterator[tuple[Run, int]]:
        yield await self.get_run(name), 0
        async with self.changed:
            await self.changed.wait_for(lambda: self.runs[name].state.settled)
        yield self.runs[name], 1

    async def until(self, condition: Callable[[], bool]) -> None:
        async with asyncio.timeout(DEADLINE_S), self.changed:
            await self.changed.wait_for(condition)

    @property
    def cancelled(self) -> list[str]:
        return [name for name, run in self.runs.items() if run.state is RunState.CANCELLED]


@pytest.fixture
async def runs() -> GatedRuns:
    return GatedRuns()


async def test_one_that_cannot_be_told_keeps_no_other_from_it(runs: GatedRuns) -> None:
    for name in "abcd":
        runs.begin(name)
    runs.faults = [FULL, LookupError("a defect")]
    untold = await cancelling.tell_to_stop(runs, ["a", "forgotten", "b", "c", "d"], 1.0)
    assert untold["a"] is FULL and isinstance(untold["b"], InternalError) and len(untold) == 2
    assert runs.cancelled == ["c", "d"]


async def test_it_is_told_once_there_is_room_and_not_twice(runs: GatedRuns) -> None:
    for name in "ab":
        runs.begin(name)
    runs.faults = [FULL, FULL]
    assert await cancelling.see_told(runs, ["a", "b"], 1.0) == {}
    assert runs.tries == ["a", "b", "a", "b"]
    assert await cancelling.see_told(runs, ["a", "b"], 1.0) == {}
    assert len(runs.tries) == 4


async def test_the_daemon_asks_and_not_the_step_that_began_the_task(runs: GatedRuns) -> None:
    """Its token is closed by then, and what is asked with it is refused."""
    noted = STEP_TOKEN.set("closed")
    runs.begin("a")
    await cancelling.see_told(runs, ["a"], 1.0)
    assert (runs.tokens, STEP_TOKEN.get()) == ({""}, "closed")
    STEP_TOKEN.reset(noted)


async def test_what_was_made_under_a_request_id_is_found(tmp_path: Path) -> None:
    store = Store.open(tmp_path / "store.sqlite3")
    requests = Requests(store)
    async with requests.claim("id", "StartRun", "content") as claim:
        await store.write(lambda tx: claim.remember(tx, "run"))
    assert (requests.made("id"), requests.made("other")) == ("run", "")
    store.close()


def benchmark(*rows: BenchmarkRow, target: BenchmarkState) -> BenchmarkRecord:
    made = Benchmark(
        id="b",
        app="a",
        state=BenchmarkState.MEASURING,
        repeats=2,
        warmups=0,
        rows=rows,
        create_time=NOW,
        target=target,
    )
    return BenchmarkRecord(benchmark=made, request=CreateBenchmark(app="/a"))


def request_id(mode: int, number: int) -> str:
    return str(uuid.uuid5(uuid.NAMESPACE_URL, f"b/{mode}/{number}"))


async def unsaved(record: BenchmarkRecord, _: Fact) -> BenchmarkRecord:
    return record


async def test_a_stopped_benchmark_that_is_taken_up_ends_the_run_under_way(
    runs: GatedRuns,
) -> None:
    counted, under_way = runs.begin("r0", request_id(1, 0)), runs.begin("r1", request_id(1, 1))
    rows = BenchmarkRow(mode=Mode(0)), BenchmarkRow(mode=Mode(1), runs=(counted.id,))
    record = benchmark(*rows, target=BenchmarkState.CANCELLED)
    assert await Measuring(record, runs, unsaved, runs.begun).measure() == record
    assert runs.cancelled == [under_way.id] and len(runs.runs) == 2


async def test_a_stopped_benchmark_whose_run_is_forgotten_ends_too(runs: GatedRuns) -> None:
    runs.requests[request_id(0, 0)] = "forgotten"
    record = benchmark(BenchmarkRow(mode=Mode(0)), target=BenchmarkState.CANCELLED)
    assert await Measuring(record, runs, unsaved, runs.begun).measure() == record


async def test_a_benchmark_is_stopped_once_there_is_room(runs: GatedRuns) -> None:
    record = benchmark(BenchmarkRow(mode=Mode(0)), target=BenchmarkState.SUCCEEDED)
    measuring = Measuring(record, runs, unsaved, runs.begun)
    going = asyncio.create_task(measuring.measure())
    await runs.until(lambda: bool(runs.runs))
    runs.faults = [FULL]
    measuring.stop()
    async with asyncio.timeout(DEADLINE_S):
        assert await going == record
    assert runs.tries == ["r0", "r0"] and runs.cancelled == ["r0"]


async def test_a_benchmark_whose_run_cannot_be_told_says_so(runs: GatedRuns) -> None:
    runs.begin("r0", request_id(0, 0))
    runs.faults = [BROKEN]
    record = benchmark(BenchmarkRow(mode=Mode(0)), target=BenchmarkState.CANCELLED)
    with pytest.raises(RunFailedError, match=r"runs/r0: its run goes on.*cannot be used"):
        await Measuring(record, runs, unsaved, runs.begun).measure()


class StartedStep:
    """An execution of one step that started two runs, driven by a driver of its own."""

    def __init__(self, folder: Path, runs: GatedRuns) -> None:
        self.folder = folder
        self.runs = runs
        self.store = Store.open(folder / "store.sqlite3")
        nothing: Any = None
        self.parts = PipelineParts(
            store=self.store,
            events=Events(self.store),
            transport=LocalTransport(folder / "host"),
            links=Links(store=self.store, runs=runs, plans=nothing, installations=nothing),
            folder=folder / "pipelines",
            address="unix:/nowhere",
        )

    async def drive(self, code: int = 0, environment: str = "", **order: Any) -> PipelineDriver:
        """Store it as one that runs; what is to drive it."""
        text = LEAVES.format(code=code)
        step = StepExecution(
            step="s", engine="runpy", code=text, code_digest="d", state=StepState.RUNNING
        )
        step = evolve(
            step, environment=environment, attempt=1, starts=1, start_time=datetime.now(UTC)
        )
        run = PipelineRun(
            id="x",
            file=str(self.folder / "lab_steps.toml"),
            module="m",
            state=PipelineRunState.RUNNING,
            create_time=NOW,
            steps=(step,),
        )
        orders = (StepOrder(token="t", tokens=("t",), **order),)
        await self.store.write(self._kept(PipelineRunRecord(run=run, orders=orders)))
        return PipelineDriver(self.parts, run.id)

    async def stopped(self, driver: PipelineDriver) -> StepExecution:
        """How it ends after it was told to stop."""
        going = asyncio.create_task(driver.drive())
        async with asyncio.timeout(DEADLINE_S):
            while not (self.folder / "ready").exists():
                await asyncio.sleep(0.02)
            await driver.change(transitions.stopping(5.0))
            await going
        (step,) = driver.record().run.steps
        return step

    def _kept(self, record: PipelineRunRecord) -> Callable[[sqlite3.Connection], None]:
        def work(connection: sqlite3.Connection) -> None:
            pipeline_run_store.insert(connection, record)
            pipeline_run_store.open_token(connection, "t", record.run.id, "s")
            for name in ("a", "b"):
                self.runs.begin(name)
                sql = "INSERT INTO step_resources (token, method, resource) VALUES ('t', ?, ?)"
                connection.execute(sql, ("StartRun", name))

        return work


@pytest.fixture
def started(tmp_path: Path, runs: GatedRuns) -> Iterator[StartedStep]:
    step = StartedStep(tmp_path, runs)
    yield step
    step.store.close()


@pytest.mark.parametrize("code", [0, 1])
async def test_no_run_of_a_stopped_step_goes_on(
    started: StartedStep, runs: GatedRuns, code: int
) -> None:
    """Not even where it leaves with 0: its runs have not done their work."""
    runs.faults = [FULL]
    step = await started.stopped(await started.drive(code))
    assert (step.state, step.exit_code) == (StepState.CANCELLED, code)
    assert isinstance(step.error, CancelledRunError)
    assert runs.cancelled == ["a", "b"] and runs.tries == ["a", "b", "a"]
    assert [each.state for each in step.linked] == ["CANCELLED"] * 2


@pytest.mark.parametrize("faults", [[BROKEN, BROKEN, BROKEN], [BROKEN] * 4])
async def test_a_step_whose_runs_cannot_be_told_is_not_called_stopped(
    started: StartedStep, runs: GatedRuns, faults: Sequence[AgiError]
) -> None:
    runs.faults = list(faults)
    step = await started.stopped(await started.drive())
    assert step.state is StepState.FAILED and isinstance(step.error, StepFailedError)
    left = [name for name in runs.runs if name not in runs.cancelled]
    assert step.error.metadata["runs"] == ",".join(left)
    assert "cannot be told to stop" in str(step.error) and "agi runs cancel" in str(step.error)


async def test_no_run_goes_on_of_a_step_whose_time_is_up(
    started: StartedStep, runs: GatedRuns
) -> None:
    runs.faults = [FULL]
    driver = await started.drive(code=1, timeout=0.5)
    async with asyncio.timeout(DEADLINE_S):
        await driver.drive()
    (step,) = driver.record().run.steps
    assert isinstance(step.error, StepTimeoutError)
    assert runs.cancelled == ["a", "b"]


async def test_no_run_goes_on_of_a_stopped_step_that_cannot_be_joined(
    started: StartedStep, runs: GatedRuns
) -> None:
    driver = await started.drive(environment="gone", stop_grace=1.0)
    await driver.drive()
    (step,) = driver.record().run.steps
    assert "folder of its environment" in str(step.error)
    assert runs.cancelled == ["a", "b"]


async def test_a_forgotten_run_keeps_no_other_going(started: StartedStep, runs: GatedRuns) -> None:
    driver = await started.drive()
    del runs.runs["a"]
    step = await started.stopped(driver)
    assert step.state is StepState.CANCELLED and runs.cancelled == ["b"]
    assert [(each.name, each.state) for each in step.linked] == [
        ("runs/a", ""),
        ("runs/b", "CANCELLED"),
    ]
