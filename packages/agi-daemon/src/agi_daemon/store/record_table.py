"""Tables of records: each a row that has the whole record as JSON, and what it is found by."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Mapping, Sequence
from typing import Generic, TypeVar

from attrs import frozen

from agi_daemon.store import pages
from agi_daemon.store.codec import dump, load
from agi_env.errors import AgiError

Record = TypeVar("Record")


@frozen(kw_only=True)
class RecordTable(Generic[Record]):
    """A table with the columns number, id, settled and body, and some that never change.

    Attributes:
        name: The table's name; never text of a caller.
        record: What a body is.
        missing: The error that says that there is no record of an id.
    """

    name: str
    record: type[Record]
    missing: Callable[[str], AgiError]

    def insert(
        self,
        connection: sqlite3.Connection,
        record_id: str,
        record: Record,
        *,
        settled: bool,
        found_by: Mapping[str, str],
    ) -> None:
        """Store a new record with what it is found by: the columns that never change."""
        columns = ", ".join(("id", *found_by, "settled", "body"))
        marks = ", ".join("?" for _ in range(len(found_by) + 3))
        connection.execute(
            f"INSERT INTO {self.name} ({columns}) VALUES ({marks})",  # noqa: S608
            (record_id, *found_by.values(), settled, dump(record)),
        )

    def update(
        self, connection: sqlite3.Connection, record_id: str, record: Record, *, settled: bool
    ) -> None:
        """Store a record as it is now."""
        connection.execute(
            f"UPDATE {self.name} SET settled = ?, body = ? WHERE id = ?",  # noqa: S608
            (settled, dump(record), record_id),
        )

    def find(self, connection: sqlite3.Connection, record_id: str) -> Record:
        """The record of this id.

        Raises:
            AgiError: There is none, as ``missing`` says it.
        """
        sql = f"SELECT body FROM {self.name} WHERE id = ?"  # noqa: S608
        row = connection.execute(sql, (record_id,)).fetchone()
        if row is None:
            raise self.missing(record_id)
        return load(row["body"], self.record)

    def unsettled(self, connection: sqlite3.Connection) -> list[Record]:
        """All records that are not settled, oldest first."""
        sql = f"SELECT body FROM {self.name} WHERE NOT settled ORDER BY number"  # noqa: S608
        return [load(row["body"], self.record) for row in connection.execute(sql)]

    def page(
        self,
        connection: sqlite3.Connection,
        *,
        limit: int,
        token: str,
        where: Sequence[tuple[str, object]] = (),
    ) -> tuple[list[Record], str]:
        """A page of records, newest first, and the next token.

        Args:
            connection: Where to read.
            limit: The most records.
            token: The token of the page before; empty: from the newest.
            where: Conditions of ours such as ``("app = ?", name)``.
        """
        rows, following = pages.newest_first(
            connection, self.name, limit=limit, token=token, where=where
        )
        return [load(row["body"], self.record) for row in rows], following
