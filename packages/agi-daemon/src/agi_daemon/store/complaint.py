"""What SQLite complains of, in the catalogue's words: no room, trouble that may pass, or damage."""

from __future__ import annotations

import sqlite3
from pathlib import Path

from agi_env.errors import AgiError, DiskFullError, StateUnreadableError, StateUnwritableError

_PASSING = frozenset(
    {
        sqlite3.SQLITE_BUSY,
        sqlite3.SQLITE_LOCKED,
        sqlite3.SQLITE_PROTOCOL,
        sqlite3.SQLITE_IOERR,
        sqlite3.SQLITE_READONLY,
        sqlite3.SQLITE_CANTOPEN,
        sqlite3.SQLITE_PERM,
        sqlite3.SQLITE_NOMEM,
    }
)
"""What says nothing against the store itself, and may be otherwise in a moment."""


MAY_PASS = (DiskFullError, StateUnwritableError)
"""The errors after which the same write may succeed."""


def explained(error: sqlite3.Error, path: Path) -> AgiError:
    """The catalogue's error for what SQLite said."""
    code, place = primary_code(error), str(path)
    if code == sqlite3.SQLITE_FULL:
        return DiskFullError("no space is left for the store", where=place)
    if code in _PASSING:
        what = f"the store cannot be used now ({error})"
        return StateUnwritableError(what, where=place, remedy=_remedy(code))
    return StateUnreadableError(f"the store cannot be used ({error})", where=place)


def primary_code(error: sqlite3.Error) -> int:
    """SQLite's own code for an error, without its details; ``SQLITE_ERROR`` where it gave none."""
    return getattr(error, "sqlite_errorcode", sqlite3.SQLITE_ERROR) & 0xFF


def _remedy(code: int) -> str:
    if code in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED):
        return "End the other program that has it open, and try again"
    if code == sqlite3.SQLITE_IOERR:
        return "Look into its disk, and try again"
    return ""
