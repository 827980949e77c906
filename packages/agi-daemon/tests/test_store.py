"""The store: what was answered is on the disk, and one failing member harms no other."""

from __future__ import annotations

import asyncio
import os
import signal
import sqlite3
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from agi_daemon.store.complaint import explained
from agi_daemon.store.requests import Requests
from agi_daemon.store.store import Store
from agi_env.errors import (
    AgiError,
    DiskFullError,
    RequestIdReusedError,
    StateUnreadableError,
    StateUnwritableError,
)


@pytest.fixture
def store(tmp_path: Path):
    opened = Store.open(tmp_path / "store.sqlite3")
    yield opened
    opened.close()


def insert(name: str):
    return lambda tx: tx.execute("INSERT INTO apps VALUES (?, '/x', 0)", (name,))


def names(store: Store) -> list[str]:
    sql = "SELECT name FROM apps ORDER BY name"
    return store.read(lambda db: [row["name"] for row in db.execute(sql)])


async def test_a_failing_member_of_a_batch_undoes_only_itself(store: Store) -> None:
    def fail(connection: sqlite3.Connection) -> None:
        insert("bad")(connection)
        raise LookupError("no")

    outcomes = await asyncio.gather(
        *(store.write(insert(f"app{number}")) for number in range(20)),
        store.write(fail),
        *(store.write(insert(f"more{number}")) for number in range(20)),
        return_exceptions=True,
    )
    assert [type(each) for each in outcomes if isinstance(each, BaseException)] == [LookupError]
    assert len(names(store)) == 40
    assert "bad" not in names(store)


async def test_a_violated_constraint_is_the_callers_alone(store: Store) -> None:
    await store.write(insert("one"))
    outcomes = await asyncio.gather(
        store.write(insert("one")), store.write(insert("two")), return_exceptions=True
    )
    assert isinstance(outcomes[0], sqlite3.IntegrityError)
    assert names(store) == ["one", "two"]


async def cancelled_twice(task: asyncio.Task[object]) -> None:
    for _ in range(2):
        task.cancel()
        await asyncio.sleep(0)
        await asyncio.sleep(0)


async def test_a_write_that_is_cancelled_twice_is_committed_and_harms_no_other(
    store: Store,
) -> None:
    begun, gate = threading.Event(), threading.Event()

    def held(connection: sqlite3.Connection) -> None:
        begun.set()
        gate.wait(10)
        insert("held")(connection)

    running = asyncio.create_task(store.write(held))
    await asyncio.to_thread(begun.wait, 10)
    waiting = asyncio.create_task(store.write(insert("waiting")))
    await asyncio.sleep(0)
    for writing in (running, waiting):
        await cancelled_twice(writing)
        assert not writing.done()
    gate.set()
    writes = [running, waiting, asyncio.create_task(store.write(insert("later")))]
    _, unanswered = await asyncio.wait(writes, timeout=10)
    assert not unanswered
    assert [each.cancelled() for each in writes] == [True, True, False]
    assert names(store) == ["held", "later", "waiting"]


def test_what_was_answered_survives_sigkill(tmp_path: Path) -> None:
    program = """
import asyncio, sys
from pathlib import Path
from agi_daemon.store.store import Store

async def main():
    store = Store.open(Path(sys.argv[1]))
    for number in range(10_000):
        sql = f"INSERT INTO apps VALUES ('{number:05}', '/x', 0)"
        await store.write(lambda tx: tx.execute(sql))
        print(number, flush=True)

asyncio.run(main())
"""
    path = tmp_path / "store.sqlite3"
    child = subprocess.Popen(
        [sys.executable, "-c", program, str(path)], stdout=subprocess.PIPE, text=True
    )
    assert child.stdout is not None
    answered = [int(child.stdout.readline()) for _ in range(50)]
    os.kill(child.pid, signal.SIGKILL)
    answered += [int(line) for line in child.stdout.read().split("\n")[:-1]]
    child.stdout.close()
    child.wait()
    store = Store.open(path)
    try:
        assert set(names(store)) >= {f"{number:05}" for number in answered}
    finally:
        store.close()


def test_a_newer_schema_is_refused_and_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "store.sqlite3"
    Store.open(path).close()
    connection = sqlite3.connect(path)
    connection.execute("PRAGMA user_version = 9999")
    connection.close()
    with pytest.raises(StateUnreadableError, match="schema 9999"):
        Store.open(path)


def test_a_file_that_is_no_database_is_refused_and_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "store.sqlite3"
    path.write_bytes(b"this is not a database, it is a letter" * 100)
    with pytest.raises(StateUnreadableError):
        Store.open(path)
    assert path.read_bytes().startswith(b"this is not")


async def test_a_repeated_request_gets_the_first_resource_also_when_concurrent(
    store: Store,
) -> None:
    requests = Requests(store)
    made: list[str] = []

    async def call() -> str:
        async with requests.claim("id-1", "StartRun", "content") as claim:
            if claim.earlier:
                return claim.earlier
            name = f"run-{len(made)}"
            await store.write(lambda tx: claim.remember(tx, name))
            made.append(name)
            return name

    assert set(await asyncio.gather(*(call() for _ in range(10)))) == {"run-0"}
    assert await call() == "run-0"
    with pytest.raises(RequestIdReusedError):
        async with requests.claim("id-1", "StartRun", "other content"):
            pass


async def test_a_failed_mutation_leaves_its_request_id_free(store: Store) -> None:
    requests = Requests(store)
    with pytest.raises(LookupError):
        async with requests.claim("id-2", "StartRun", "content"):
            raise LookupError
    async with requests.claim("id-2", "StartRun", "content") as claim:
        assert claim.earlier == ""


async def test_a_late_caller_waits_for_those_whom_a_failure_let_go_on(store: Store) -> None:
    requests = Requests(store)
    failing, going_on = asyncio.Event(), asyncio.Event()

    async def fail() -> None:
        async with requests.claim("id-3", "StartRun", "content"):
            await failing.wait()
            raise LookupError

    async def make(name: str) -> str:
        async with requests.claim("id-3", "StartRun", "content") as claim:
            if claim.earlier:
                return claim.earlier
            await going_on.wait()
            await store.write(lambda tx: claim.remember(tx, name))
            return name

    first = asyncio.create_task(fail())
    await asyncio.sleep(0)
    second = asyncio.create_task(make("second"))
    await asyncio.sleep(0)
    failing.set()
    await asyncio.wait([first])
    assert isinstance(first.exception(), LookupError)
    third = asyncio.create_task(make("third"))
    await asyncio.sleep(0)
    going_on.set()
    assert await asyncio.gather(second, third) == ["second", "second"]


async def test_the_order_of_keys_tells_no_requests_apart(store: Store) -> None:
    requests = Requests(store)
    async with requests.claim("id-4", "StartRun", {"a": 1, "b": [2]}) as claim:
        await store.write(lambda tx: claim.remember(tx, "run"))
    async with requests.claim("id-4", "StartRun", {"b": [2], "a": 1}) as again:
        assert again.earlier == "run"


async def test_what_has_happened_is_stored_once_another_program_lets_go(tmp_path: Path) -> None:
    path = tmp_path / "store.sqlite3"
    store = Store.open(path, patience_s=0.01)
    other = sqlite3.connect(path, isolation_level=None)
    try:
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(StateUnwritableError, match="locked") as caught:
            await store.write(insert("asked for"))
        assert "other program" in caught.value.remedy
        keeping = asyncio.create_task(store.keep(insert("happened")))
        async with asyncio.timeout(10):
            while not store.waits_for:
                await asyncio.sleep(0)
        assert "locked" in store.waits_for
        other.execute("ROLLBACK")
        await asyncio.wait_for(keeping, 10)
        assert (names(store), store.waits_for) == (["happened"], "")
    finally:
        other.close()
        store.close()


@pytest.mark.parametrize(
    ("code", "kind"),
    [
        (sqlite3.SQLITE_FULL, DiskFullError),
        (sqlite3.SQLITE_IOERR_WRITE, StateUnwritableError),
        (sqlite3.SQLITE_READONLY, StateUnwritableError),
        (sqlite3.SQLITE_CANTOPEN, StateUnwritableError),
        (sqlite3.SQLITE_CORRUPT, StateUnreadableError),
        (sqlite3.SQLITE_NOTADB, StateUnreadableError),
        (None, StateUnreadableError),
    ],
)
def test_only_damage_is_told_as_damage(code: int | None, kind: type[AgiError]) -> None:
    error = sqlite3.OperationalError("words")
    if code is not None:
        error.sqlite_errorcode = code
    assert type(explained(error, Path("/store"))) is kind
