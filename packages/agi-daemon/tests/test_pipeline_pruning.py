"""Old executions of pipelines: which go, which never do, and what a kill in between leaves."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path

import pytest
from attrs import evolve

from agi_cluster.model.pipeline import StepState
from agi_cluster.model.pipeline_run import PipelineRun, PipelineRunState, StepExecution
from agi_daemon.events import Events, Fact
from agi_daemon.pipelines import continuation, pipeline_run_store
from agi_daemon.pipelines.run_record import PipelineRunRecord, StepOrder
from agi_daemon.pruning import old, old_pipeline_runs
from agi_daemon.pruning.pipeline_pruner import PipelinePruner
from agi_daemon.store.store import Store
from agi_env.runtime.run_lock import RunLock

NOW = datetime(2026, 1, 2, tzinfo=UTC)
LATER = NOW.timestamp() + 1
TABLES = ("pipeline_runs", "step_tokens", "step_resources", "events")


def execution(
    name: str, *, file: str = "/f", settled: bool = True, origin: str = ""
) -> PipelineRun:
    state = PipelineRunState.SUCCEEDED if settled else PipelineRunState.RUNNING
    step = StepExecution(step="s", engine="runpy", code_digest="d", state=StepState.SUCCEEDED)
    return PipelineRun(
        id=name,
        file=file,
        module="m",
        state=state,
        create_time=NOW,
        end_time=NOW if settled else None,
        steps=(step,),
        origin=origin,
    )


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    opened = Store.open(tmp_path / "store.sqlite3")
    yield opened
    opened.close()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "pipelines"


async def keep(store: Store, *runs: PipelineRun, made: Sequence[str] = ()) -> None:
    """Store executions, each with a step that made some things, and an event."""

    def work(connection: sqlite3.Connection) -> None:
        for run in runs:
            record = PipelineRunRecord(run=run, orders=(StepOrder(token=f"t-{run.id}"),))
            pipeline_run_store.insert(connection, record)
            pipeline_run_store.open_token(connection, f"t-{run.id}", run.id, "s")
            for resource in made:
                sql = "INSERT INTO step_resources (token, method, resource) VALUES (?, 'M', ?)"
                connection.execute(sql, (f"t-{run.id}", resource))
            Events(store).append(connection, record.subject, [Fact(kind="settled", data={})])

    await store.write(work)


def found(store: Store, *, before: float = LATER, keep: int = 0) -> list[str]:
    some = store.read(
        lambda db: list(old_pipeline_runs.pipeline_runs(db, before=before, keep=keep))
    )
    return [run.id for run in some]


def count(store: Store, table: str) -> int:
    sql = f"SELECT count(*) FROM {table}"
    return int(store.read(lambda db: db.execute(sql).fetchone()[0]))


def write(folder: Path, name: str) -> Path:
    place = folder / name / "001-1"
    (place / "logs").mkdir(parents=True)
    (place / "step.py").write_text("print(1)\n")
    (place / "logs" / "runner.log").write_text("1\n")
    return place


async def test_the_newest_of_each_file_stay(store: Store) -> None:
    await keep(store, *(execution(f"a{n}") for n in range(3)), execution("b0", file="/g"))
    assert found(store) == ["a0", "a1", "a2", "b0"]
    assert found(store, keep=1) == ["a0", "a1"]
    assert found(store, keep=3) == []
    assert found(store, before=NOW.timestamp()) == []


async def test_what_is_not_settled_stays_and_takes_no_place(store: Store) -> None:
    await keep(store, execution("old"), execution("new"), execution("going", settled=False))
    assert found(store, keep=1) == ["old"]
    assert found(store) == ["old", "new"]


async def test_what_an_unsettled_one_goes_on_from_stays(store: Store) -> None:
    """Also where a step was carried over twice: from the first, through the second."""
    first = execution("first")
    second = evolve(execution("second"), origin="first")
    now = execution("third", settled=False, origin="second")
    before = PipelineRunRecord(run=first, orders=(StepOrder(),))
    (carried,) = continuation.only(second.steps, before, "another")
    third = evolve(now, steps=(carried,))
    await keep(store, first, second, third, execution("other"))
    assert found(store) == ["other"]


async def test_what_a_step_of_an_unsettled_one_started_stays(store: Store) -> None:
    await keep(store, execution("started"), execution("other"))
    await keep(store, execution("going", settled=False), made=("started", "run-1"))
    assert found(store) == ["other"]
    assert store.read(pipeline_run_store.made_by_unsettled) == {"started", "run-1"}


async def test_all_that_is_stored_of_it_goes_and_nothing_else(store: Store) -> None:
    await keep(store, execution("gone"), execution("stays"), made=("run-1",))
    for _ in range(2):
        stay = await store.write(lambda tx: old_pipeline_runs.forget_pipeline_runs(tx, ["gone"]))
        assert (stay, found(store)) == (set(), ["stays"])
        assert [count(store, table) for table in TABLES] == [1, 1, 1, 1]


async def test_one_that_somebody_goes_on_from_meanwhile_stays(store: Store) -> None:
    await keep(store, execution("first"))
    await keep(store, execution("second", settled=False, origin="first"))
    stay = await store.write(lambda tx: old_pipeline_runs.forget_pipeline_runs(tx, ["first"]))
    assert stay == {"first"}
    assert count(store, "pipeline_runs") == 2


async def test_first_it_is_said_and_then_done(store: Store, folder: Path) -> None:
    await keep(store, execution("gone"))
    write(folder, "gone")
    write(folder, "nobody's")
    pruner = PipelinePruner(store, folder)
    (told,) = await pruner.prune(before=LATER, keep=0, dry_run=True)
    assert (told.id, told.file, told.module) == ("gone", "/f", "m")
    assert (told.bytes, told.problem) == (len("print(1)\n1\n"), "")
    assert (folder / "gone").is_dir() and found(store) == ["gone"]
    assert await pruner.prune(before=LATER, keep=0, dry_run=False) == (told,)
    assert [path.name for path in folder.iterdir()] == ["nobody's"]
    assert found(store) == []


async def test_what_a_kill_in_between_left_goes_the_next_time(store: Store, folder: Path) -> None:
    await keep(store, execution("no-directory"), execution("put-aside"), execution("whole"))
    write(folder, ".removed-put-aside")
    write(folder, "whole")
    pruned = await PipelinePruner(store, folder).prune(before=LATER, keep=0, dry_run=False)
    assert [(each.id, each.problem) for each in pruned] == [
        ("no-directory", ""),
        ("put-aside", ""),
        ("whole", ""),
    ]
    assert (list(folder.iterdir()), found(store)) == ([], [])


async def test_one_whose_process_lives_stays(store: Store, folder: Path) -> None:
    await keep(store, execution("lives"), execution("gone"))
    place = write(folder, "lives")
    write(folder, "gone")
    lock = RunLock.take(place)
    assert lock is not None
    with lock:
        pruned = await PipelinePruner(store, folder).prune(before=LATER, keep=0, dry_run=False)
    assert [each.problem for each in pruned] == ["a process of it still runs", ""]
    assert (place / "step.py").is_file() and found(store) == ["lives"]


async def test_events_of_what_is_settled_and_stays_are_old_too(store: Store) -> None:
    await keep(store, execution("stays"), execution("going", settled=False))
    facts = [Fact(kind="tick", data={}, at=1.0), Fact(kind="tock", data={}, at=2.0)]
    for name in ("stays", "going"):
        await store.write(lambda tx, n=name: Events(store).append(tx, f"pipelineRuns/{n}", facts))
    assert store.read(lambda db: old.count_events(db, before=1.5)) == 1
