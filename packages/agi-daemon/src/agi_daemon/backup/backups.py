"""The backups that the daemon makes by itself, in a directory of their own beside the store."""

from __future__ import annotations

import time
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

from attrs import frozen

from agi_daemon.backup.copy import copy_store
from agi_env.errors import NotFoundError
from agi_env.paths import private_directory

DAILY, MIGRATION, ASKED = "daily", "before-migration", "backup"
"""What each is named after; those that somebody asked for are never removed."""

_SUFFIX = ".sqlite3"


@frozen
class BackupFile:
    """One backup."""

    path: Path
    made: float
    """When, in unix seconds."""

    @property
    def kind(self) -> str:
        """What it was made for: the first words of its name."""
        return self.path.name.removesuffix(_SUFFIX).rpartition("-")[0].rpartition("-")[0]


class Backups:
    """The directory of backups of one store.

    Args:
        store: The store's file.
        directory: Where they are, by default ``backups`` beside the store.
        keep: How many of each automatic kind are kept.
    """

    def __init__(self, store: Path, directory: Path | None = None, *, keep: int = 7) -> None:
        self._store = store
        self._directory = directory or store.parent / "backups"
        self._keep = keep

    @property
    def directory(self) -> Path:
        """Where they are."""
        return self._directory

    def place(self, kind: str) -> Path:
        """Where a backup that is made now goes."""
        moment = datetime.now(UTC).strftime("%Y%m%d-%H%M%S%f")
        return self._directory / f"{kind}-{moment}{_SUFFIX}"

    def make(self, kind: str) -> Path:
        """Make one, then remove the oldest of its kind beyond those that are kept. Blocks.

        Raises:
            DiskFullError, StateUnwritableError: It cannot be written.
            StateUnreadableError: The store is damaged.
        """
        private_directory(self._directory)
        target = self.place(kind)
        copy_store(self._store, target)
        if kind != ASKED:
            for old in [each for each in self.found() if each.kind == kind][self._keep :]:
                old.path.unlink(missing_ok=True)
        return target

    def found(self) -> Sequence[BackupFile]:
        """All that are there, the newest first."""
        if not self._directory.is_dir():
            return ()
        paths = [path for path in self._directory.glob(f"[!.]*{_SUFFIX}") if path.is_file()]
        files = [BackupFile(path, path.stat().st_mtime) for path in paths]
        return sorted(files, key=lambda each: (each.made, each.path.name), reverse=True)

    def newest(self) -> BackupFile:
        """The one that was made last.

        Raises:
            NotFoundError: There is none.
        """
        for each in self.found():
            return each
        raise NotFoundError(
            "there is no backup",
            where=str(self._directory),
            remedy="`agi daemon rebuild` makes a new store of the runs' own directories",
        )

    def age(self, kind: str) -> float | None:
        """Seconds since the last one of a kind was made; None when there is none."""
        made = [each.made for each in self.found() if each.kind == kind]
        return time.time() - made[0] if made else None
