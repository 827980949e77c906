"""Pages of lists: how long they are, and the tokens that lead from one to the next."""

from __future__ import annotations

import base64
import hashlib
import sqlite3
from collections.abc import Sequence

from agi_env.errors import RequestInvalidError

_SEAL = 6
"""Bytes of a token that tie it to its list; a multiple of three keeps the base64 short."""


def page_limit(page_size: int, *, default: int = 50, most: int = 1000) -> int:
    """How many items a page has.

    Raises:
        RequestInvalidError: The size is negative.
    """
    if page_size < 0:
        raise RequestInvalidError(f"page_size {page_size} is negative", where="page_size")
    return min(page_size or default, most)


def page_token(position: object, *scope: object) -> str:
    """What stands for the place after an item in one list.

    Args:
        position: Where the item stands; not a secret.
        scope: The list and its filters, whose tokens no other list takes.
    """
    text = str(position)
    return base64.urlsafe_b64encode(_seal(text, scope) + text.encode()).decode().rstrip("=")


def position_of(token: str, *scope: object) -> str:
    """The place that a token stands for; empty for the first page.

    Raises:
        RequestInvalidError: The token is none, or belongs to another list or other filters.
    """
    if not token:
        return ""
    try:
        raw = base64.b64decode(token + "=" * (-len(token) % 4), altchars=b"-_", validate=True)
        text = raw[_SEAL:].decode()
    except ValueError:
        raw, text = b"", ""
    if raw[:_SEAL] != _seal(text, scope):
        raise RequestInvalidError(
            f"{token!r} is no page token of this list",
            where="page_token",
            remedy="Send the next_page_token of the page before, with the same filters",
        )
    return text


def newest_first(
    connection: sqlite3.Connection,
    table: str,
    *,
    limit: int,
    token: str,
    where: Sequence[tuple[str, object]] = (),
    columns: str = "*",
) -> tuple[list[sqlite3.Row], str]:
    """A page of rows after the place of ``token`` (empty: from the newest), and the next token.

    Args:
        connection: Where to read.
        table: A table of ours with a ``number`` column; never text of a caller.
        limit: The most rows.
        token: The token of the page before.
        where: Conditions of ours such as ``("app = ?", name)``.
        columns: What to read of the rows, ``number`` among it; never text of a caller.

    Raises:
        RequestInvalidError: The token is none of this table and these conditions.
    """
    before = position_of(token, table, *where)
    conditions = [*where, ("number < ?", int(before))] if before else list(where)
    clause = " AND ".join(text for text, _ in conditions) or "1"
    values = [value for _, value in conditions]
    sql = f"SELECT {columns} FROM {table} WHERE {clause} ORDER BY number DESC LIMIT ?"  # noqa: S608
    rows = connection.execute(sql, (*values, limit + 1)).fetchall()
    if len(rows) <= limit:
        return rows, ""
    return rows[:limit], page_token(rows[limit - 1]["number"], table, *where)


def _seal(position: str, scope: tuple[object, ...]) -> bytes:
    return hashlib.sha256(repr((position, *scope)).encode()).digest()[:_SEAL]
