"""Copies of a SQLite file, made whole or not at all."""

from __future__ import annotations

import os
import sqlite3
from contextlib import closing
from pathlib import Path

from agi_daemon.store.complaint import explained, primary_code
from agi_env.atomic_file import disk_errors, sync_directory
from agi_env.errors import AlreadyExistsError, NotFoundError, StateUnreadableError


def copy_store(source: Path, target: Path) -> int:
    """Copy a store, which may be in use, to a new file of mode 0600; return its bytes.

    It is SQLite's own backup in one step: one snapshot, read over a connection of its own. In WAL
    mode a reader holds no writer up, however long it takes, so no pause has to be bounded; steps
    of a few pages would begin anew with each commit of the writer. The copy is checked before it
    gets its name. Blocks: call it on a thread.

    Raises:
        AlreadyExistsError: There is a file of this name.
        NotFoundError: There is no such store.
        DiskFullError, StateUnwritableError: The copy cannot be written.
        StateUnreadableError: The store is damaged.
    """
    if not source.is_file():
        raise NotFoundError("there is no such file", where=str(source))
    draft = target.with_name(f".{target.name}.{os.getpid()}-{os.urandom(6).hex()}")
    try:
        with disk_errors(target):
            os.close(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600))
        _fill(source, draft, target)
        return _name(draft, target)
    finally:
        for left in (draft, *(Path(f"{draft}{end}") for end in ("-journal", "-wal", "-shm"))):
            left.unlink(missing_ok=True)


def check(path: Path) -> int:
    """See that a store is sound; return the number of its schema.

    Raises:
        StateUnreadableError: It is damaged, or no store.
    """
    try:
        with closing(sqlite3.connect(path, timeout=10)) as connection:
            (word,) = connection.execute("PRAGMA quick_check(1)").fetchone()
            schema = int(connection.execute("PRAGMA user_version").fetchone()[0])
    except sqlite3.Error as error:
        if primary_code(error) == sqlite3.SQLITE_IOERR:  # a part of the file that cannot be read
            raise StateUnreadableError(f"it cannot be read ({error})", where=str(path)) from error
        raise explained(error, path) from error
    if word != "ok" or not schema:
        raise StateUnreadableError(f"it is no sound store ({word})", where=str(path))
    return schema


def _fill(source: Path, draft: Path, target: Path) -> None:
    try:
        with (
            closing(sqlite3.connect(source, timeout=10)) as origin,
            closing(sqlite3.connect(draft, isolation_level=None)) as copy,
        ):
            origin.backup(copy)
            # One file, with no log beside it that could be left behind.
            copy.execute("PRAGMA journal_mode = DELETE")
    except sqlite3.Error as error:
        raise explained(error, target) from error
    check(draft)


def _name(draft: Path, target: Path) -> int:
    with disk_errors(target):
        descriptor = os.open(draft, os.O_RDONLY | os.O_CLOEXEC)
        try:
            os.fsync(descriptor)
            size = os.fstat(descriptor).st_size
        finally:
            os.close(descriptor)
        try:
            # A link, unlike a rename, never replaces what is there.
            os.link(draft, target)
        except FileExistsError as error:
            raise AlreadyExistsError("there is a file of this name", where=str(target)) from error
        sync_directory(target.parent)
    return size
