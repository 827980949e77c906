"""Going back to a backup, and beginning anew: while no daemon runs, and nothing is deleted."""

from __future__ import annotations

import os
import sqlite3
from contextlib import closing, suppress
from datetime import UTC, datetime
from pathlib import Path

from agi_daemon.backup.copy import check, copy_store
from agi_daemon.store.migrations import available
from agi_env.atomic_file import disk_errors, sync_directory
from agi_env.errors import StateUnreadableError

_COMPANIONS = ("-wal", "-shm")


def go_back(store: Path, backup: Path) -> Path | None:
    """Put a backup in the store's place; the instance lock has to be held.

    Returns:
        Where the store of before is now; None if there was none.

    Raises:
        NotFoundError: There is no such backup.
        StateUnreadableError: It is damaged, no store, or of a newer version.
        DiskFullError, StateUnwritableError: It cannot be written; the store is as it was.
    """
    draft = store.with_name(f".{store.name}.restored")
    draft.unlink(missing_ok=True)
    try:
        copy_store(backup, draft)
        _refuse_newer(draft, backup)
        return _replace(store, draft)
    finally:
        draft.unlink(missing_ok=True)


def put_aside(store: Path) -> Path | None:
    """Move a store away, with what belongs to it; the instance lock has to be held.

    Returns:
        Where it is now; None if there was none.

    Raises:
        StateUnwritableError: It cannot be moved.
    """
    return _replace(store, None)


def is_sound(store: Path) -> bool:
    """Whether there is a store that can be used.

    Raises:
        StateUnreadableError: It is of a newer version, so neither damaged nor to be replaced.
    """
    if not store.exists():
        return False
    try:
        check(store)
    except StateUnreadableError:
        return False
    _refuse_newer(store, store)
    return True


def _replace(store: Path, draft: Path | None) -> Path | None:
    """Put the draft in the store's place, or nothing; a crash leaves the one or the other."""
    if draft is not None:
        _write_back(store)
    aside = None
    with disk_errors(store):
        if store.exists():
            aside = _aside(store)
            os.link(store, aside)
        for end in _COMPANIONS:
            companion = Path(f"{store}{end}")
            if companion.exists():
                companion.replace(f"{aside or _aside(store)}{end}")
        if draft is not None:
            draft.replace(store)
        else:
            store.unlink(missing_ok=True)
        sync_directory(store.parent)
    return aside


def _write_back(store: Path) -> None:
    """Bring what the log holds into the file itself, where that can be done."""
    if not store.exists():
        return
    # A damaged store refuses, and is put aside together with its log.
    with suppress(sqlite3.Error), closing(sqlite3.connect(store, timeout=10)) as connection:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")


def _aside(store: Path) -> Path:
    moment = datetime.now(UTC).strftime("%Y%m%d-%H%M%S%f")
    return store.with_name(f"{store.stem}-until-{moment}{store.suffix}")


def _refuse_newer(store: Path, told: Path) -> None:
    schema, newest = check(store), available()[-1][0]
    if schema > newest:
        raise StateUnreadableError(
            f"it has schema {schema}, this version knows up to {newest}",
            where=str(told),
            remedy="Use the newer version; nothing was changed",
        )
