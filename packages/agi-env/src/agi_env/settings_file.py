"""The user's own copy of an app's settings: seeded once, edited whole or not at all."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from filelock import FileLock, Timeout

from agi_env.app import App
from agi_env.atomic_file import disk_errors, write_atomically
from agi_env.errors import (
    AgiError,
    ConflictError,
    EtagMismatchError,
    SettingsSyntaxError,
    StateUnreadableError,
)
from agi_env.paths import private_directory, settings_path
from agi_env.settings import Settings
from agi_env.settings_change import SettingChange, refuse_slips
from agi_env.settings_edit import edited
from agi_env.settings_schema import Problem, dotted, problems
from agi_env.toml_text import TomlError, TomlText

LOCK_TIMEOUT = 10.0
"""Seconds that an edit waits for another one of the same file."""

DEFAULT_SEED = """\
[args]

[cluster]
cluster_enabled = false
pool = false

[cluster.workers]
"127.0.0.1" = 1
"""
"""What an app without ``src/app_settings.toml`` begins with."""


@dataclass(frozen=True, slots=True)
class SettingsSnapshot:
    """The file as it was read, or as an edit made it."""

    path: Path
    text: str
    etag: str
    """Changes whenever a byte of the file changes."""
    settings: Settings


@dataclass(frozen=True, slots=True)
class SettingsFile:
    """The copy of one app's settings.

    Everything here may block on the disk and, when it edits, up to `LOCK_TIMEOUT` on a lock.
    """

    path: Path
    """The user's copy; made from the seed when it is first needed."""
    seed: Path
    """The settings that come with the app; need not exist."""

    @classmethod
    def of(cls, state: Path, app: App) -> SettingsFile:
        """The copy of this app's settings in a state directory."""
        return cls(settings_path(state, app.name), app.settings_seed)

    def read(self, *, dry_run: bool = False) -> SettingsSnapshot:
        """The settings now; makes the copy if there is none.

        Args:
            dry_run: Leave no copy behind.

        Raises:
            SettingsSyntaxError: The file, or the seed, is not TOML; with its line.
            SettingsInvalidError: A value cannot be used; with its line and key.
            SlotsInvalidError: A slot count cannot be used; with its line and key.
            StateUnreadableError: The file cannot be read.
            StateUnwritableError: The copy cannot be made.
        """
        if not self.path.exists():
            seed = self._seed_content()
            _parsed(self.seed, seed)
            if dry_run:
                return _checked(self.path, seed)
            self._put(seed)
        return _read(self.path, _content(self.path))

    def edit(
        self, changes: Sequence[SettingChange], *, etag: str = "", dry_run: bool = False
    ) -> SettingsSnapshot:
        """Make all of the changes or, on any error, none, and return what the file then holds.

        Args:
            changes: What to set and to remove, one after another.
            etag: The etag that the caller has read; empty: whatever is there.
            dry_run: Only return what the file would hold.

        Raises:
            EtagMismatchError: The file is no longer the one that was read.
            ConflictError: Another edit did not end in time.
            SettingsInvalidError: A key must be a slip of one that is there.
            AgiError: As of `read`, for what is there and for what would be; as of
                `agi_env.settings_edit.edited`; DiskFullError.
        """
        with self._locked():
            current = self._current(etag)
            document = _parsed(self.path, current)
            refuse_slips(document.data, changes, self.path)
            text = edited(document.text, changes)
            proposed = _checked(self.path, text.encode(), changes)
            if not dry_run:
                self._write(current, proposed)
        return proposed

    def reset(self, *, etag: str = "", dry_run: bool = False) -> SettingsSnapshot:
        """Make the copy anew from the seed; this also mends a copy that is not TOML.

        Raises:
            AgiError: As of `edit`, about the seed; the copy is then as it was.
        """
        seed = self._seed_content()
        fresh = _checked(self.seed, seed)
        with self._locked():
            current = self._current(etag)
            proposed = SettingsSnapshot(self.path, fresh.text, fresh.etag, fresh.settings)
            if not dry_run:
                self._write(current, proposed)
        return proposed

    def _put(self, content: bytes) -> None:
        with self._locked():
            if not self.path.exists():
                write_atomically(self.path, content)

    def _seed_content(self) -> bytes:
        return _content(self.seed) if self.seed.exists() else DEFAULT_SEED.encode()

    def _current(self, etag: str) -> bytes:
        content = _content(self.path) if self.path.exists() else self._seed_content()
        if etag and etag != _etag(content):
            raise EtagMismatchError("the settings have changed meanwhile", where=str(self.path))
        return content

    def _write(self, current: bytes, proposed: SettingsSnapshot) -> None:
        content = proposed.text.encode()
        if content != current or not self.path.exists():
            write_atomically(self.path, content)

    @contextmanager
    def _locked(self) -> Iterator[None]:
        private_directory(self.path.parent)
        lock = FileLock(self.path.with_suffix(".lock"), mode=0o600)
        with disk_errors(self.path):
            try:
                lock.acquire(timeout=LOCK_TIMEOUT)
            except Timeout as error:
                what = "another edit holds the settings"
                raise ConflictError(what, where=str(self.path)) from error
        try:
            yield
        finally:
            lock.release()


def _content(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise StateUnreadableError(
            f"the settings cannot be read: {error.strerror}",
            where=str(path),
            remedy="Make this a file that you can read",
        ) from error


def _etag(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def _parsed(path: Path, content: bytes) -> TomlText:
    try:
        return TomlText.parse(content)
    except TomlError as error:
        raise SettingsSyntaxError(
            f"this is not TOML: {error.reason}",
            where=f"{path}:{error.line}",
            metadata={"path": str(path), "line": str(error.line)},
        ) from error


@lru_cache(maxsize=64)
def _read(path: Path, content: bytes) -> SettingsSnapshot:
    """As `_checked`; the same bytes mean the same, and every run begins with reading them."""
    return _checked(path, content)


def _checked(path: Path, content: bytes, changes: Sequence[SettingChange] = ()) -> SettingsSnapshot:
    document = _parsed(path, content)
    found = list(problems(document.data))
    if found:
        first = min(found, key=lambda problem: document.line_of(problem.key))
        raise _located(first, path, document, changes)
    settings = Settings.from_data(document.data)
    return SettingsSnapshot(path, document.text, _etag(content), settings)


def _located(
    problem: Problem, path: Path, document: TomlText, changes: Sequence[SettingChange]
) -> AgiError:
    key = dotted(problem.key)
    line = document.line_of(problem.key)
    facts = {"key": key, "path": str(path), "line": str(line)}
    if any(problem.key[: len(change.key)] == change.key for change in changes):
        # What the caller has just given stands on no line of the file.
        return problem.error(problem.what, metadata={"key": key, "path": str(path)})
    return problem.error(problem.what, where=f"{path}:{line}", metadata=facts)
