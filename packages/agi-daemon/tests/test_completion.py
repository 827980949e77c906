"""Work that is not left in the middle when its caller hangs up."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from agi_daemon.completion import completed
from agi_daemon.store.store import Store


async def test_the_answer_and_the_error_pass():
    async def answer(error: Exception | None = None) -> int:
        if error:
            raise error
        return 7

    assert await completed(answer()) == 7
    with pytest.raises(ValueError, match="no"):
        await completed(answer(ValueError("no")))


@pytest.mark.parametrize("error", [None, ValueError("nobody is left to hear it")])
async def test_a_caller_that_hangs_up_leaves_after_the_work(error: Exception | None):
    begun, go_on, done = asyncio.Event(), asyncio.Event(), []

    async def work() -> None:
        begun.set()
        await go_on.wait()
        done.append(True)
        if error:
            raise error

    caller = asyncio.create_task(completed(work()))
    await begun.wait()
    for _ in range(3):  # a client that hangs up, a daemon that stops, and again
        caller.cancel()
        await asyncio.sleep(0)
        await asyncio.sleep(0)
    assert not caller.done()
    go_on.set()
    with pytest.raises(asyncio.CancelledError):
        await caller
    assert done == [True]


async def test_a_write_is_committed_before_its_cancelled_caller_leaves(tmp_path: Path):
    store = Store.open(tmp_path / "store.sqlite3")
    try:
        insert = "INSERT INTO apps VALUES ('a', '/a', 0)"
        writing = asyncio.create_task(store.write(lambda tx: tx.execute(insert)))
        await asyncio.sleep(0)
        writing.cancel()
        with pytest.raises(asyncio.CancelledError):
            await writing
        rows = store.read(lambda db: db.execute("SELECT count(*) FROM apps").fetchone()[0])
        assert rows == 1
    finally:
        store.close()
