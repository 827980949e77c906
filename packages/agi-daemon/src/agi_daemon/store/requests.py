"""Request ids: a repeated mutation gives the first's answer, also after a crash.

The row is written in the transaction of the mutation itself, so that there is never the one
without the other; repeats that arrive while the first is in flight wait for it.
"""

from __future__ import annotations

import asyncio
import hashlib
import sqlite3
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from contextvars import ContextVar
from weakref import WeakValueDictionary

from attrs import frozen

from agi_daemon.store.codec import canonical
from agi_daemon.store.store import Store
from agi_env.errors import RefusedError, RequestIdReusedError

STEP_TOKEN: ContextVar[str] = ContextVar("step_token", default="")
"""The token of the pipeline's step that asks for what is done in this context; empty: none does."""


@frozen
class Claim:
    """One mutation under its request id."""

    request_id: str
    method: str
    fingerprint: str
    earlier: str
    """The resource that an earlier call with this id made; empty if there was none."""
    step: str = ""
    """The token of the pipeline's step that asks; empty: none does."""

    def remember(self, connection: sqlite3.Connection, resource: str) -> None:
        """Tie id and step to the resource, in the transaction that makes the resource.

        Raises:
            RefusedError: The step was stopped meanwhile.
        """
        if self.step and _is_open(connection, self.step):
            connection.execute(
                "INSERT INTO step_resources (token, method, resource) VALUES (?, ?, ?)",
                (self.step, self.method, resource),
            )
        if self.request_id:
            connection.execute(
                "INSERT INTO requests VALUES (?, ?, ?, ?, ?)",
                (self.request_id, self.method, self.fingerprint, resource, time.time()),
            )


@contextmanager
def asked_by_nobody() -> Iterator[None]:
    """What is done in this context the daemon does itself.

    A task that a step began goes on when the token of the step is closed, and still has to act.
    """
    noted = STEP_TOKEN.set("")
    try:
        yield
    finally:
        STEP_TOKEN.reset(noted)


class Requests:
    """The request ids that were accepted, and those in flight."""

    def __init__(self, store: Store) -> None:
        self._store = store
        # A lock is there as long as somebody holds it or waits for it.
        self._in_flight: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()

    @asynccontextmanager
    async def claim(self, request_id: str, method: str, content: object) -> AsyncIterator[Claim]:
        """Hold the id for one mutation.

        Args:
            request_id: The caller's UUID; empty claims nothing.
            method: The name of the mutation.
            content: What tells requests apart; the order of keys in it means nothing.

        Raises:
            RequestIdReusedError: The id was used for another method or other content.
            RefusedError: A step of a pipeline asks that was stopped.
        """
        step = STEP_TOKEN.get()
        if step:
            self._store.read(lambda db: _is_open(db, step))
        fingerprint = hashlib.sha256(canonical((method, content)).encode()).hexdigest()
        if not request_id:
            yield Claim("", method, fingerprint, "", step)
            return
        lock = self._in_flight.setdefault(request_id, asyncio.Lock())
        async with lock:
            earlier = self._earlier(request_id, fingerprint)
            yield Claim(request_id, method, fingerprint, earlier, step)

    def made(self, request_id: str) -> str:
        """The resource that was made under an id; empty if there is none."""
        row = self._store.read(_find(request_id))
        return "" if row is None else str(row["resource"])

    def _earlier(self, request_id: str, fingerprint: str) -> str:
        row = self._store.read(_find(request_id))
        if row is None:
            return ""
        if row["fingerprint"] != fingerprint:
            raise RequestIdReusedError(
                f"request id {request_id} was used for another {row['method']}",
                metadata={"request_id": request_id},
            )
        return str(row["resource"])


def _find(request_id: str) -> Callable[[sqlite3.Connection], sqlite3.Row | None]:
    def query(connection: sqlite3.Connection) -> sqlite3.Row | None:
        sql = "SELECT method, fingerprint, resource FROM requests WHERE request_id = ?"
        row: sqlite3.Row | None = connection.execute(sql, (request_id,)).fetchone()
        return row

    return query


def _is_open(connection: sqlite3.Connection, token: str) -> bool:
    """Whether the token is one of ours; one that is closed raises.

    Raises:
        RefusedError: Its step was stopped or has ended.
    """
    row = connection.execute("SELECT open FROM step_tokens WHERE token = ?", (token,)).fetchone()
    if row is not None and not row["open"]:
        raise RefusedError(
            "the pipeline's step that asks was stopped or has ended",
            remedy="`agi pipeline history` shows how",
        )
    return row is not None
