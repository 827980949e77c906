"""The SQLite store: one writer thread with group commit, short indexed reads.

What ``write`` returns has been committed with ``synchronous=FULL``: it survives a crash. Reads run
on the caller's thread over a connection of their own (WAL), so they must be short.
"""

from __future__ import annotations

import asyncio
import queue
import sqlite3
import threading
from collections.abc import AsyncIterator, Callable
from concurrent.futures import Future
from contextlib import asynccontextmanager, closing
from pathlib import Path
from typing import Any, TypeVar

from agi_daemon.completion import completed
from agi_daemon.log import get_log
from agi_daemon.store.complaint import explained
from agi_daemon.store.migrations import migrate
from agi_env.errors import (
    DaemonError,
    DiskFullError,
    NoRoomError,
    StateUnwritableError,
)

Answer = TypeVar("Answer")
Work = Callable[[sqlite3.Connection], Any]

_MOST_IN_ONE_COMMIT = 256
_SHORTEST_PAUSE_S = 0.1
_LONGEST_PAUSE_S = 5.0
PATIENCE_S = 10.0
"""For how long a write waits for another program that has the store locked, until it fails."""

_log = get_log(__name__)


class Store:
    """The open store. Build it with ``Store.open`` and close it when done."""

    def __init__(self, path: Path, schema: int, patience_s: float = PATIENCE_S) -> None:
        self.path = path
        self._patience_s = patience_s
        self.schema = schema
        self.waits_for = ""
        """What keeps ``keep`` from storing, in words; empty when nothing does."""
        self.doubt = asyncio.Event()
        """Set when a write was refused by the disk; whoever watches over that clears it."""
        self._queue: queue.SimpleQueue[tuple[Work, Future[Any]] | None] = queue.SimpleQueue()
        self._reader = _connect(path, patience_s)
        self._reader.execute("PRAGMA query_only = ON")
        self._writer = threading.Thread(target=self._write_all, name="store-writer", daemon=True)
        self._writer.start()

    @classmethod
    def open(
        cls,
        path: Path,
        before_migration: Callable[[], object] = lambda: None,
        patience_s: float = PATIENCE_S,
    ) -> Store:
        """Open the store at this path, making or migrating it.

        Args:
            path: The file.
            before_migration: Called before a store of an older schema is changed; if it raises,
                the store is not.
            patience_s: Seconds that it waits for another program that has the store locked.

        Raises:
            StateUnwritableError: The file cannot be made or written, or is locked.
            StateUnreadableError: It is damaged, no SQLite file, or of a newer version.
            DiskFullError: There is no room for it.
        """
        try:
            # Not yet in WAL mode: that would change the file of a version that is not ours.
            unchanged = sqlite3.connect(path, isolation_level=None, timeout=patience_s)
            with closing(unchanged) as connection:
                schema = migrate(connection, before_migration)
            path.chmod(0o600)
            return cls(path, schema, patience_s)
        except sqlite3.Error as error:
            raise explained(error, path) from error

    async def write(self, work: Callable[[sqlite3.Connection], Answer]) -> Answer:
        """Run ``work`` in a transaction; return its answer once that is on the disk.

        Many callers share one commit. An exception of ``work`` undoes only its own changes. A
        caller that is cancelled meanwhile, once or more often, is so after the commit, and holds
        till then what it holds.
        """
        future: Future[Answer] = Future()
        self._queue.put((work, future))
        try:
            return await completed(asyncio.wrap_future(future))
        except (NoRoomError, DaemonError):
            self.doubt.set()
            raise

    async def probe(self) -> None:
        """Write what is there already, down to the disk.

        Raises:
            DiskFullError, StateUnwritableError, StateUnreadableError: It cannot be written.
        """
        await self.write(_same_version)

    async def keep(self, work: Callable[[sqlite3.Connection], Answer]) -> Answer:
        """As ``write``, and again for as long as what keeps the store from it may pass.

        What is asked for may be refused; what has happened already may not be forgotten. There is
        no deadline: whoever owns the caller ends it.

        Raises:
            StateUnreadableError: The store is damaged.
        """
        pause = _SHORTEST_PAUSE_S
        while True:
            try:
                answer = await self.write(work)
            except DiskFullError:
                self._wait_for(f"room on the disk of {self.path}")
            except StateUnwritableError as error:
                self._wait_for(f"{self.path}: {error.what}")
            else:
                self.waits_for = ""
                return answer
            await asyncio.sleep(pause)
            pause = min(2 * pause, _LONGEST_PAUSE_S)

    def _wait_for(self, what: str) -> None:
        _log.warning("waiting to store what has happened", waits_for=what)
        self.waits_for = what

    def read(self, work: Callable[[sqlite3.Connection], Answer]) -> Answer:
        """Run a short indexed query on the caller's thread."""
        try:
            return work(self._reader)
        except sqlite3.Error as error:
            raise explained(error, self.path) from error

    @asynccontextmanager
    async def apart(self) -> AsyncIterator[sqlite3.Connection]:
        """A connection of its own for reads that take long; for one thread at a time."""
        connection = await asyncio.to_thread(_connect, self.path, self._patience_s)
        try:
            connection.execute("PRAGMA query_only = ON")
            yield connection
        except sqlite3.Error as error:
            raise explained(error, self.path) from error
        finally:
            connection.close()

    async def read_apart(self, work: Callable[[sqlite3.Connection], Answer]) -> Answer:
        """Run a query that takes long on a thread of its own."""
        async with self.apart() as connection:
            return await asyncio.to_thread(work, connection)

    def close(self) -> None:
        """Finish what was accepted, then close."""
        self._queue.put(None)
        self._writer.join(timeout=30)
        self._reader.close()

    def _write_all(self) -> None:
        connection = _connect(self.path, self._patience_s)
        try:
            while batch := self._next_batch():
                _commit(connection, batch, self.path)
        finally:
            connection.close()

    def _next_batch(self) -> list[tuple[Work, Future[Any]]]:
        """Wait for work and take all that is there; empty when the store is to close."""
        first = self._queue.get()
        if first is None:
            return []
        batch = [first]
        while len(batch) < _MOST_IN_ONE_COMMIT:
            try:
                item = self._queue.get_nowait()
            except queue.Empty:
                break
            if item is None:
                self._queue.put(None)
                break
            batch.append(item)
        return batch


def _same_version(connection: sqlite3.Connection) -> None:
    # It changes a page, unlike any statement that finds nothing to change.
    (version,) = connection.execute("PRAGMA user_version").fetchone()
    connection.execute(f"PRAGMA user_version = {version}")


def _connect(path: Path, patience_s: float) -> sqlite3.Connection:
    connection = sqlite3.connect(
        path, isolation_level=None, check_same_thread=False, timeout=patience_s
    )
    connection.row_factory = sqlite3.Row
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA synchronous = FULL")
    connection.execute("PRAGMA foreign_keys = ON")
    return connection


def _commit(
    connection: sqlite3.Connection, batch: list[tuple[Work, Future[Any]]], path: Path
) -> None:
    """Run a batch in one transaction and answer everybody after its commit."""
    # From here on nobody can cancel: an answer that nobody may be given would end the thread.
    batch = [(work, future) for work, future in batch if future.set_running_or_notify_cancel()]
    answers: list[tuple[Future[Any], Any, BaseException | None]] = []
    try:
        connection.execute("BEGIN IMMEDIATE")
        for work, future in batch:
            answers.append((future, *_attempt(connection, work)))
        connection.execute("COMMIT")
    except sqlite3.Error as error:
        _undo(connection)
        for _, future in batch:
            future.set_exception(explained(error, path))
        return
    for future, answer, failure in answers:
        if failure is None:
            future.set_result(answer)
        else:
            future.set_exception(failure)


def _undo(connection: sqlite3.Connection) -> None:
    """End a transaction that failed; where even this fails, the next one tries it again."""
    try:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
    except sqlite3.Error as error:
        _log.warning("a transaction is not undone yet", reason=str(error))


def _attempt(connection: sqlite3.Connection, work: Work) -> tuple[Any, BaseException | None]:
    """One member of a batch, undone by itself when it raises."""
    connection.execute("SAVEPOINT member")
    try:
        answer = work(connection)
    except Exception as failure:
        if isinstance(failure, sqlite3.OperationalError) or type(failure) is sqlite3.DatabaseError:
            raise  # it is the store's, not the work's
        connection.execute("ROLLBACK TO member")
        connection.execute("RELEASE member")
        return None, failure
    connection.execute("RELEASE member")
    return answer, None
