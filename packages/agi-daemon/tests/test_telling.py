"""Steps of an install as events: in order, all of those that are wanted, before the block ends."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from agi_daemon.events import Events
from agi_daemon.install.outcome import Phase, Progress
from agi_daemon.install.telling import WORK, telling
from agi_daemon.store.store import Store
from agi_env.errors import BuildFailedError


@pytest.fixture
def store(tmp_path: Path):
    opened = Store.open(tmp_path / "store.sqlite3")
    yield opened
    opened.close()


def told(events: Events) -> list[tuple[str, int]]:
    return [(event.kind, event.verbosity) for event in events.every("runs/a")]


async def test_what_takes_time_is_told_of_a_run(store: Store) -> None:
    events = Events(store)
    async with telling(store, events, "runs/a", WORK) as report:
        report(Progress(Phase.RESOLVED, detail="ab" * 32))
        report(Progress(Phase.COLLECTING, "h", wheels=("six",)))
        await asyncio.sleep(0)
        report(Progress(Phase.SHIPPING, "h", wheels=("six-1.whl",), size_bytes=7))
        report(Progress(Phase.REALISING, "h", detail="venv"))
        report(Progress(Phase.READY, "h"))
    assert told(events) == [("collecting", 1), ("shipping", 1), ("realising", 2)]
    shipping = events.after("runs/a", 1)[0]
    assert shipping.data == {"host": "h", "wheels": ["six-1.whl"], "bytes": 7}


async def test_nothing_is_stored_where_nothing_had_to_be_done(store: Store) -> None:
    events = Events(store)
    async with telling(store, events, "runs/a", WORK) as report:
        report(Progress(Phase.RESOLVED))
        report(Progress(Phase.UNCHANGED, "h"))
    assert told(events) == []


async def test_what_came_before_a_failure_is_told(store: Store) -> None:
    events = Events(store)
    with pytest.raises(BuildFailedError):
        async with telling(store, events, "runs/a") as report:
            report(Progress(Phase.FAILED, "h"))
            raise BuildFailedError("no room")
    assert told(events) == [("failed", 0)]


async def test_who_is_cancelled_waits_for_nobody(store: Store) -> None:
    events, begun = Events(store), asyncio.Event()

    async def install() -> None:
        async with telling(store, events, "runs/a") as report:
            report(Progress(Phase.CHECKED, "h"))
            begun.set()
            await asyncio.Event().wait()

    task = asyncio.create_task(install())
    await begun.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
