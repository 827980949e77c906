"""Numbered events of watched resources: stored with the change they tell of, then announced."""

from __future__ import annotations

import asyncio
import json
import sqlite3
import time
from collections import defaultdict
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from datetime import UTC, datetime
from typing import Any, TypeVar

from attrs import define, field, frozen

from agi_cluster.model.event import Event
from agi_daemon.store.store import Store
from agi_env.errors import CursorExpiredError

_BLOCK = 500
_BLOCKS_SHARED = 4

Block = Sequence[Event]
Value = TypeVar("Value")


@frozen(kw_only=True)
class Fact:
    """An event that has no number yet."""

    kind: str
    data: dict[str, Any] = field(factory=dict)
    verbosity: int = 1
    at: float = field(factory=time.time)


class Events:
    """The events of all resources, by subject such as ``runs/ID``."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._bells: dict[str, set[asyncio.Event]] = defaultdict(set)
        self._shared: dict[str, _Shared] = defaultdict(_Shared)

    def append(self, connection: sqlite3.Connection, subject: str, facts: Sequence[Fact]) -> int:
        """Number and store facts inside the caller's transaction; return the last number."""
        last = _last(connection, subject)
        rows = [
            (subject, last + place, fact.at, fact.kind, fact.verbosity, json.dumps(fact.data))
            for place, fact in enumerate(facts, start=1)
        ]
        connection.executemany("INSERT INTO events VALUES (?, ?, ?, ?, ?, ?)", rows)
        return last + len(rows)

    def announce(self, subject: str) -> None:
        """Wake the watchers of a subject; call it once the transaction is committed."""
        self._shared.pop(subject, None)
        for bell in self._bells.get(subject, ()):
            bell.set()

    def last_sequence(self, subject: str) -> int:
        """The number of the subject's newest event; 0 if there is none."""
        return self._store.read(lambda connection: _last(connection, subject))

    def check_cursor(self, subject: str, sequence: int) -> None:
        """See that every event after a number can be told.

        Raises:
            CursorExpiredError: Some are no longer kept, or the number was never given.
        """
        first, last = self._store.read(lambda connection: _kept(connection, subject))
        if sequence and not first - 1 <= sequence <= last:
            raise CursorExpiredError(
                f"there is no going on after event {sequence}: {first} to {last} are kept",
                where=subject,
                metadata={"first": str(first), "last": str(last)},
            )

    def after(self, subject: str, sequence: int) -> list[Event]:
        """The next block of stored events with a higher number."""
        return self._store.read(_block(subject, sequence))

    def every(self, subject: str) -> Iterator[Event]:
        """All stored events of a subject, block by block."""
        sequence = 0
        while block := self.after(subject, sequence):
            yield from block
            sequence = block[-1].sequence

    async def watch(
        self,
        subject: str,
        snapshot: Callable[[], Value],
        *,
        after: int,
        settled: Callable[[], bool],
        level: Callable[[], int] | None = None,
    ) -> AsyncIterator[tuple[Value | Event, int]]:
        """Yield a snapshot, the events after a number, and a last snapshot when it is settled.

        Each comes with the number of the newest event that it includes.

        Args:
            subject: What is watched.
            snapshot: Reads it as it is now; raises where there is none.
            after: The last event that is known already; 0: none.
            settled: Whether no more events are to come.
            level: The verbosity of the events that are left out is higher; none: all are told.
        """
        snapshot()
        self.check_cursor(subject, after)
        # The number first: the writer may be at work, and a snapshot may hold more than it says.
        sequence = self.last_sequence(subject)
        yield snapshot(), sequence
        most = None if level is None else level()
        async for event in self.follow(subject, after=after, until=settled):
            sequence = max(sequence, event.sequence)
            if most is None or event.verbosity <= most:
                yield event, event.sequence
        yield snapshot(), sequence

    async def follow(
        self, subject: str, *, after: int, until: Callable[[], bool]
    ) -> AsyncIterator[Event]:
        """Yield the events after a number as they come, until ``until`` holds and all are told.

        ``until`` is asked again only after the subject was announced, and for all who follow it.
        A slow reader holds nothing up: what it has not read yet stays in the store.
        """
        bell = asyncio.Event()
        self._bells[subject].add(bell)
        try:
            while True:
                bell.clear()
                ended = self._has_ended(subject, until)
                while block := self._block(subject, after):
                    for event in block:
                        after = event.sequence
                        yield event
                if ended:
                    return
                await bell.wait()
        finally:
            self._bells[subject].discard(bell)
            if not self._bells[subject]:
                del self._bells[subject]
                self._shared.pop(subject, None)

    def _has_ended(self, subject: str, until: Callable[[], bool]) -> bool:
        shared = self._shared[subject]
        if shared.ended is None:
            shared.ended = until()
            if shared.ended:
                # What was read before may lack what was committed with the end, not announced yet.
                shared.blocks.clear()
        return shared.ended

    def _block(self, subject: str, sequence: int) -> Block:
        blocks = self._shared[subject].blocks
        if sequence not in blocks:
            blocks[sequence] = self.after(subject, sequence)
            if len(blocks) > _BLOCKS_SHARED:
                del blocks[next(iter(blocks))]
        return blocks[sequence]


@define
class _Shared:
    """What was read since a subject was last announced, for all of its followers."""

    ended: bool | None = None
    blocks: dict[int, Block] = field(factory=dict)
    """The events after a number, for those followers that are equally far."""


def _last(connection: sqlite3.Connection, subject: str) -> int:
    sql = "SELECT max(sequence) FROM events WHERE subject = ?"
    return int(connection.execute(sql, (subject,)).fetchone()[0] or 0)


def _kept(connection: sqlite3.Connection, subject: str) -> tuple[int, int]:
    sql = "SELECT min(sequence), max(sequence) FROM events WHERE subject = ?"
    first, last = connection.execute(sql, (subject,)).fetchone()
    return int(first or 0), int(last or 0)


def _block(subject: str, sequence: int) -> Callable[[sqlite3.Connection], list[Event]]:
    def query(connection: sqlite3.Connection) -> list[Event]:
        sql = "SELECT * FROM events WHERE subject = ? AND sequence > ? ORDER BY sequence LIMIT ?"
        return [_event(row) for row in connection.execute(sql, (subject, sequence, _BLOCK))]

    return query


def _event(row: sqlite3.Row) -> Event:
    return Event(
        sequence=row["sequence"],
        time=datetime.fromtimestamp(row["at"], tz=UTC),
        kind=row["kind"],
        data=json.loads(row["data"]),
        verbosity=row["verbosity"],
    )
