"""Events: numbered without gaps, told once each, however slow the reader."""

from __future__ import annotations

import asyncio
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from agi_daemon.events import Events, Fact
from agi_daemon.store.store import Store


@pytest.fixture
def store(tmp_path: Path):
    opened = Store.open(tmp_path / "store.sqlite3")
    yield opened
    opened.close()


async def add(store: Store, events: Events, count: int) -> None:
    facts = [Fact(kind="tick", data={"n": number}) for number in range(count)]
    await store.write(lambda tx: events.append(tx, "runs/a", facts))
    events.announce("runs/a")


async def test_a_watcher_sees_every_event_once_and_ends(store: Store) -> None:
    events = Events(store)
    ended = False
    seen: list[int] = []
    began = asyncio.Event()

    async def watch() -> None:
        async for event in events.follow("runs/a", after=2, until=lambda: ended):
            seen.append(event.sequence)
            began.set()

    await add(store, events, 5)
    async with asyncio.TaskGroup() as group:
        group.create_task(watch())
        await began.wait()
        await add(store, events, 1200)
        ended = True
        events.announce("runs/a")
    assert seen == list(range(3, 1206))


async def test_an_end_that_is_seen_before_it_is_announced_takes_no_event_away(
    store: Store, tmp_path: Path
) -> None:
    events = Events(store)
    announced = False

    def settled() -> bool:
        if announced:  # the writer commits now; it will announce that in a moment
            with closing(sqlite3.connect(tmp_path / "store.sqlite3")) as writer, writer:
                events.append(writer, "runs/a", [Fact(kind="settled")])
        return announced

    await add(store, events, 1)
    watch = events.follow("runs/a", after=0, until=settled)
    seen = [(await anext(watch)).kind]
    announced = True
    events.announce("runs/a")
    seen += [event.kind async for event in watch]
    assert seen == ["tick", "settled"]


async def test_subjects_are_numbered_apart(store: Store) -> None:
    events = Events(store)
    await add(store, events, 3)
    facts = [Fact(kind="other")]
    assert await store.write(lambda tx: events.append(tx, "runs/b", facts)) == 1
    assert events.last_sequence("runs/a") == 3
    assert events.last_sequence("runs/none") == 0
