"""State of every earlier schema is carried forward: a filled store of the first is opened."""

from __future__ import annotations

import json
import sqlite3
import zlib
from array import array
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from agi_cluster.model.run import PartitionState, RunState
from agi_daemon.backup.backups import MIGRATION, Backups
from agi_daemon.events import Events
from agi_daemon.install import installation_store
from agi_daemon.planning import plan_store
from agi_daemon.runs import run_store
from agi_daemon.store.migrations import available
from agi_daemon.store.store import Store
from agi_env.errors import DiskFullError, PartitionFailedError

RUN = "toy-20260102-030405-00000001"
WAITING = "toy-20260102-030405-00000002"
PLAN = "toy-20260102-030405-0000000a"
NOW = "2026-01-02T03:04:05+00:00"
SLOT = {"index": 0, "host": "127.0.0.1", "cores": 2}


def resolution() -> dict[str, Any]:
    """As the first version wrote it."""
    return {
        "app": "toy_project",
        "target": "toy",
        "app_path": "/apps/toy_project",
        "mode": 0,
        "modes_enabled": 0,
        "selection": {"scheduler": "", "workers": {"127.0.0.1": 1}, "cores_per_slot": 0},
        "slots": [{**SLOT, "executors": 1, "threads": 2}],
        "args": {"parts": 2},
        "data_in": "/share/toy/data",
        "data_out": "/share/toy/results",
        "verbose": 1,
        "partition_timeout": None,
        "run_timeout": 86400.0,
        "settings_digest": "s",
    }


def run_body(run_id: str, number: int, state: str, result: Any) -> dict[str, Any]:
    """As the first version wrote it: the run as clients see it inside of what the daemon needs."""
    settled = state == "FAILED"
    metadata = {"what": "no", "where": "partition B", "remedy": "Mend the app"}
    run = {
        "id": run_id,
        "app": "toy_project",
        "mode": 0,
        "state": state,
        "create_time": NOW,
        "target": "SUCCEEDED",
        "plan": f"plans/{PLAN}@1" if settled else "",
        "plan_digest": "d" if settled else "",
        "release": "r" if settled else "",
        "start_time": NOW if settled else None,
        "end_time": NOW if settled else None,
        "progress": {
            "total": 2,
            "succeeded": 1,
            "failed": 1,
            "running": 0,
            "weight_done": 1.0,
            "weight_total": 3.0,
        },
        "error": {"code": "PARTITION_FAILED", "metadata": metadata} if settled else None,
        "result": result,
        "paths": {"published": "", "kept": "/share/kept", "run_directory": "/state/runs/x"},
        "slots": [{**SLOT, "partitions": 2, "busy_seconds": 1.5, "cpu_seconds": 1.0}],
        "warnings": ["w"],
        "epoch": 1,
        "waiting_for": "",
        "args": {"parts": 2},
        "installed": "unchanged",
        "verbose": 1,
    }
    return {
        "number": number,
        "run": run,
        "resolution": resolution(),
        "no_install": False,
        "build": "/state/host/builds/r" if settled else "",
        "manager_build": "/state/host/builds/r" if settled else "",
        "epoch": 1,
        "journal_seq": 9,
        "fruitless_starts": 0,
        "scheduler": None,
        "cancel_grace": None,
    }


def plan_body() -> dict[str, Any]:
    slot = {**SLOT, "speed": 1.0, "load": 3.0, "partition_count": 2, "predicted_finish": 3.0}
    return {
        "id": PLAN,
        "revision": 1,
        "etag": "e",
        "app": "toy_project",
        "mode": 0,
        "scheduler": "",
        "slots": [slot],
        "partition_count": 2,
        "total_weight": 3.0,
        "predicted_finish": 3.0,
        "lower_bound": 3.0,
        "selection_digest": "s",
        "settings_digest": "s",
        "digest": "d",
        "create_time": NOW,
        "args": {"parts": 2},
        "findings": [],
    }


def fill(store: sqlite3.Connection) -> None:
    """What the first version had after an install, a plan, a run that failed and one that waits."""
    columns = {"id": ["a", "b"], "label": ["A", "B"], "weight": [1.0, 2.0], "payload": [0, [1]]}
    installation = {
        "installation": {
            "id": "i1",
            "app": "toy_project",
            "state": "SUCCEEDED",
            "modes_enabled": 0,
            "create_time": NOW,
        },
        "app_path": "/apps/toy_project",
        "hosts": ["127.0.0.1"],
        "upgrade": False,
    }
    partition = {
        "id": "b",
        "label": "B",
        "weight": 2.0,
        "state": "FAILED",
        "slot": 0,
        "attempts": 3,
        "seconds": 1.0,
        "cpu_seconds": 0.5,
        "error": {
            "code": "PARTITION_FAILED",
            "metadata": {"what": "no", "where": "", "remedy": ""},
        },
        "traceback": "ValueError: no",
        "start_time": NOW,
    }
    put = store.execute
    put("INSERT INTO apps VALUES ('toy_project', '/apps/toy_project', 1.0)")
    put("INSERT INTO requests VALUES ('u', 'StartRun', 'f', ?, 1.0)", (RUN,))
    for number in range(1, 4):
        put("INSERT INTO events VALUES (?, ?, 1.0, 'told', 1, '{}')", (f"runs/{RUN}", number))
    put(
        "INSERT INTO installations VALUES (1, 'i1', 'toy_project', 1, ?)",
        (json.dumps(installation),),
    )
    put("INSERT INTO plans VALUES (1, ?, 'toy_project', 1)", (PLAN,))
    packed = zlib.compress(json.dumps(columns).encode())
    put("INSERT INTO plan_blocks VALUES (?, 0, ?)", (PLAN, packed))
    places = zlib.compress(array("I", [0, 0]).tobytes())
    put("INSERT INTO plan_revisions VALUES (?, 1, ?, ?)", (PLAN, json.dumps(plan_body()), places))
    for number, (run_id, state, result) in enumerate(
        [(RUN, "FAILED", {"deep": [1, None, True]}), (WAITING, "QUEUED", None)], start=1
    ):
        body = json.dumps(run_body(run_id, number, state, result))
        row = (number, run_id, "toy_project", state, state == "FAILED", body)
        put("INSERT INTO runs VALUES (?, ?, ?, ?, ?, ?)", row)
    put("INSERT INTO run_partitions VALUES (?, 'b', ?)", (RUN, json.dumps(partition)))
    put("INSERT INTO rendered_settings VALUES ('s', 'toy_project', '{}')")


@pytest.fixture
def first(tmp_path: Path) -> Path:
    """A store of the first schema, with something in every table."""
    path = tmp_path / "store.sqlite3"
    number, sql = available()[0]
    with closing(sqlite3.connect(path, isolation_level=None)) as store:
        store.executescript(f"BEGIN;\n{sql}\nPRAGMA user_version = {number};\nCOMMIT;")
        fill(store)
        store.execute("PRAGMA journal_mode = WAL")
    return path


def test_everything_of_the_first_schema_is_there(first: Path) -> None:
    store = Store.open(first)
    try:
        assert store.schema == available()[-1][0]
        record = store.read(lambda db: run_store.find(db, RUN))
        assert (record.run.state, record.run.result) == (RunState.FAILED, {"deep": [1, None, True]})
        assert isinstance(record.run.error, PartitionFailedError)
        assert record.run.create_time == datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
        assert record.builds == {"127.0.0.1": "/state/host/builds/r"}
        assert (record.journal_seq, record.run.paths.kept) == (9, "/share/kept")
        (partition,) = store.read(lambda db: run_store.partitions(db, RUN)).values()
        assert (partition.state, partition.attempts) == (PartitionState.FAILED, 3)
        (waiting,) = store.read(run_store.unsettled)
        assert (waiting.run.id, waiting.builds) == (WAITING, {})
        plan = store.read(lambda db: plan_store.find(db, PLAN, 1))
        planned = store.read(lambda db: plan_store.page_of_partitions(db, plan, start=0, limit=9))
        assert [(each.id, each.payload, each.slot) for each in planned] == [
            ("a", 0, 0),
            ("b", [1], 0),
        ]
        assert store.read(lambda db: plan_store.find(db, PLAN, None)).digest == "d"
        assert store.read(lambda db: installation_store.find(db, "i1")).hosts == ("127.0.0.1",)
        assert [event.sequence for event in Events(store).every(f"runs/{RUN}")] == [1, 2, 3]
        request = store.read(lambda db: db.execute("SELECT * FROM requests").fetchone())
        assert tuple(request) == ("u", "StartRun", "f", RUN, 1.0)
    finally:
        store.close()


def test_a_backup_of_the_schema_before_is_made_first(first: Path) -> None:
    backups = Backups(first)
    Store.open(first, lambda: backups.make(MIGRATION)).close()
    (backup,) = backups.found()
    assert backup.kind == MIGRATION
    with closing(sqlite3.connect(backup.path)) as copy:
        assert copy.execute("PRAGMA user_version").fetchone() == (1,)
        assert copy.execute("SELECT count(*) FROM runs").fetchone() == (2,)
    Store.open(first, lambda: backups.make(MIGRATION)).close()
    assert len(backups.found()) == 1


def test_a_store_whose_backup_fails_is_not_migrated(first: Path) -> None:
    def full() -> None:
        raise DiskFullError("no space is left for the backup")

    with pytest.raises(DiskFullError):
        Store.open(first, full)
    with closing(sqlite3.connect(first)) as store:
        assert store.execute("PRAGMA user_version").fetchone() == (1,)


@pytest.mark.parametrize("number", [each for each, _ in available()[:-1]])
def test_a_crash_between_two_migrations_loses_nothing(first: Path, number: int) -> None:
    """Each is a transaction of its own; the next start goes on where the crash was."""
    with closing(sqlite3.connect(first, isolation_level=None)) as store:
        for step, sql in available()[1:]:
            if step <= number and not needs_functions(sql):
                store.executescript(f"BEGIN;\n{sql}\nPRAGMA user_version = {step};\nCOMMIT;")
    opened = Store.open(first)
    try:
        assert opened.schema == available()[-1][0]
        assert opened.read(lambda db: run_store.find(db, RUN)).run.id == RUN
    finally:
        opened.close()


def needs_functions(sql: str) -> bool:
    """Whether the migration calls what only ``migrate`` gives to the connection."""
    return "places_" in sql
