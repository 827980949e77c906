"""Numbered migrations: ``migrations/0001_initial.sql`` and its successors, each one transaction."""

from __future__ import annotations

import hashlib
import sqlite3
import zlib
from importlib.resources import files

from agi_env.errors import StateUnreadableError

_FOLDER = "schema"


def available() -> list[tuple[int, str]]:
    """The migrations in order, as (number, SQL)."""
    entries = (files(__package__) / _FOLDER).iterdir()
    found = [(int(entry.name[:4]), entry) for entry in entries if entry.name.endswith(".sql")]
    return [(number, entry.read_text(encoding="utf-8")) for number, entry in sorted(found)]


def migrate(connection: sqlite3.Connection) -> int:
    """Carry the store forward to the newest schema; return its number.

    Raises:
        StateUnreadableError: The store has a schema that this version does not know.
    """
    steps = available()
    newest = steps[-1][0]
    current = int(connection.execute("PRAGMA user_version").fetchone()[0])
    if current > newest:
        raise StateUnreadableError(
            f"the store has schema {current}, this version knows up to {newest}",
            where=_place(connection),
        )
    connection.create_function("places_block", 2, _places_block, deterministic=True)
    connection.create_function("places_digest", 2, _places_digest, deterministic=True)
    for number, sql in steps:
        if number > current:
            connection.executescript(f"BEGIN;\n{sql}\nPRAGMA user_version = {number};\nCOMMIT;")
    return newest


_BLOCK_BYTES = 4 * 1000
"""A thousand numbers of 32 bits: a block of the places that 0004 cuts an array into."""


def _places_block(assignment: bytes, block: int) -> bytes:
    return zlib.compress(_places(assignment, block), level=1)


def _places_digest(assignment: bytes, block: int) -> bytes:
    return hashlib.sha256(_places(assignment, block)).digest()


def _places(assignment: bytes, block: int) -> bytes:
    return zlib.decompress(assignment)[block * _BLOCK_BYTES : (block + 1) * _BLOCK_BYTES]


def _place(connection: sqlite3.Connection) -> str:
    """The path of the file behind a connection."""
    return str(connection.execute("PRAGMA database_list").fetchone()[2])
