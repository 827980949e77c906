"""Runs in the store: what is read is what was written last, and an older store is carried on."""

from __future__ import annotations

import sqlite3
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from attrs import evolve

from agi_cluster.model.run import Run, RunState
from agi_cluster.model.selection import Selection
from agi_daemon.apps.resolution import Resolution
from agi_daemon.runs import run_store
from agi_daemon.runs.record import RunRecord
from agi_daemon.store import migrations
from agi_daemon.store.codec import dump
from agi_daemon.store.store import Store
from agi_env.errors import RunNotFoundError
from agi_env.mode import Mode
from agi_env.runtime.spec import SlotSpec


def record(run_id: str, result: Any = None, state: RunState = RunState.QUEUED) -> RunRecord:
    resolution = Resolution(
        app="toy_project",
        target="toy",
        app_path="/apps/toy_project",
        mode=Mode.PLAIN,
        modes_enabled=Mode.PLAIN,
        selection=Selection(workers={"127.0.0.1": 1}),
        slots=(SlotSpec(0, "127.0.0.1", 1),),
        args={"n": 3},
        data_in="/in",
        data_out="/out",
        verbose=1,
        partition_timeout=None,
        run_timeout=60.0,
        settings_digest="d",
    )
    run = Run(
        id=run_id,
        app="toy_project",
        mode=Mode.PLAIN,
        state=state,
        create_time=datetime(2026, 1, 2, tzinfo=UTC),
        result=result,
    )
    return RunRecord(number=0, run=run, resolution=resolution)


@pytest.fixture
def store(tmp_path: Path):
    opened = Store.open(tmp_path / "store.sqlite3")
    yield opened
    opened.close()


def listed(store: Store, token: str = "", states: tuple[RunState, ...] = ()) -> tuple[Any, str]:
    return store.read(
        lambda db: run_store.page(db, limit=2, token=token, app="toy_project", states=states)
    )


async def test_runs_are_numbered_and_found_again(store: Store) -> None:
    stored = [await store.write(lambda tx, n=n: run_store.insert(tx, record(n))) for n in "abc"]
    assert [each.number for each in stored] == [1, 2, 3]
    assert store.read(lambda db: run_store.find(db, "b")) == stored[1]
    assert store.read(lambda db: run_store.find_run(db, "b")) == stored[1].run
    assert store.read(run_store.unsettled) == stored
    for find in (run_store.find, run_store.find_run):
        with pytest.raises(RunNotFoundError):
            store.read(lambda db, find=find: find(db, "d"))


async def test_a_read_after_a_change_tells_the_change(store: Store) -> None:
    stored = await store.write(lambda tx: run_store.insert(tx, record("a")))
    assert store.read(lambda db: run_store.find_run(db, "a")).state is RunState.QUEUED
    later = evolve(stored, run=evolve(stored.run, state=RunState.SUCCEEDED, result=[1, 2]))
    await store.write(lambda tx: run_store.update(tx, later))
    assert store.read(lambda db: run_store.find_run(db, "a")) == later.run
    assert store.read(run_store.count_unsettled) == 0


def test_what_the_daemon_ends_by_itself_may_live_on_where_its_runner_was_asked_for() -> None:
    local = record("a")
    begun = evolve(local, epoch=1)
    across = evolve(begun, resolution=evolve(begun.resolution, mode=Mode.CLUSTER))
    assert local.suspects == ()
    assert (begun.met_hosts, begun.suspects) == ((), ("127.0.0.1",))
    assert across.suspects == across.met_hosts == ("127.0.0.1",)


@pytest.mark.parametrize("size", [1, 100_000])
async def test_a_list_leaves_results_out_however_large(store: Store, size: int) -> None:
    for name in "abc":
        whole = record(name, result="x" * size, state=RunState.SUCCEEDED)
        await store.write(lambda tx, whole=whole: run_store.insert(tx, whole))
    runs, token = listed(store)
    rest, last = listed(store, token)
    assert [run.id for run in (*runs, *rest)] == ["c", "b", "a"]
    assert not last
    assert all(run.result is None for run in runs)
    assert store.read(lambda db: run_store.find_run(db, "a")).result == "x" * size
    assert listed(store, states=(RunState.QUEUED,)) == ([], "")


@pytest.mark.parametrize("result", [None, True, False, 3, 1.5, "text", "true", [1], {"a": [None]}])
def test_a_store_of_the_first_schema_keeps_its_runs(tmp_path: Path, result: Any) -> None:
    path = tmp_path / "store.sqlite3"
    old = evolve(record("old", result), number=1)
    connection = sqlite3.connect(path)
    connection.executescript(migrations.available()[0][1] + "PRAGMA user_version = 1;")
    connection.execute(
        "INSERT INTO runs VALUES (1, 'old', 'toy_project', 'QUEUED', 0, ?)", (dump(old),)
    )
    connection.commit()
    connection.close()
    store = Store.open(path)
    try:
        assert store.read(lambda db: run_store.find(db, "old")) == old
        assert store.read(lambda db: run_store.find_run(db, "old")) == old.run
    finally:
        store.close()
