"""Pages over tables whose rows are numbered, newest first."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence

from agi_env.errors import RequestInvalidError


def page_limit(page_size: int, *, default: int = 50, most: int = 1000) -> int:
    """How many items a page has.

    Raises:
        RequestInvalidError: The size is negative.
    """
    if page_size < 0:
        raise RequestInvalidError(f"page_size {page_size} is negative", where="page_size")
    return min(page_size or default, most)


def offset_of(page_token: str) -> int:
    """The number a token stands for; 0 for the first page.

    Raises:
        RequestInvalidError: The token is none of ours.
    """
    if not page_token:
        return 0
    if not page_token.isdecimal():
        raise RequestInvalidError(
            f"{page_token!r} is no page token",
            where="page_token",
            remedy="Send the next_page_token of the page before, unchanged",
        )
    return int(page_token)


def newest_first(
    connection: sqlite3.Connection,
    table: str,
    *,
    limit: int,
    before: int,
    where: Sequence[tuple[str, object]] = (),
) -> tuple[list[sqlite3.Row], str]:
    """A page of rows below the number ``before`` (0: from the newest), and the next token.

    Args:
        connection: Where to read.
        table: A table of ours with a ``number`` column; never text of a caller.
        limit: The most rows.
        before: The number of the last row of the page before.
        where: Conditions of ours such as ``("app = ?", name)``.
    """
    conditions = [*where, ("number < ?", before)] if before else list(where)
    clause = " AND ".join(text for text, _ in conditions) or "1"
    values = [value for _, value in conditions]
    sql = f"SELECT * FROM {table} WHERE {clause} ORDER BY number DESC LIMIT ?"  # noqa: S608
    rows = connection.execute(sql, (*values, limit + 1)).fetchall()
    token = str(rows[limit - 1]["number"]) if len(rows) > limit else ""
    return rows[:limit], token
