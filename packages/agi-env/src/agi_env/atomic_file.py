"""A file that is always either as it was or as it was meant to be, also after a power cut."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from agi_env.errors import AgiError, DiskFullError, StateUnwritableError

_NO_ROOM = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})


def write_atomically(path: Path, data: bytes) -> None:
    """Write a file of mode 0600 in one step; it is on the disk on return.

    The content is synced under another name beside it and renamed; the directory has to exist.

    Raises:
        DiskFullError: There is no room; the file is as it was.
        StateUnwritableError: It cannot be written; the file is as it was.
    """
    with disk_errors(path):
        _replace(path, data)
        sync_directory(path.parent)


def sync_directory(path: Path | str) -> None:
    """Make the names in a directory, new ones and removals, survive a power cut."""
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


@contextmanager
def disk_errors(path: Path) -> Iterator[None]:
    """Raise what the system says about writing this path as errors of the catalogue.

    Raises:
        DiskFullError: There is no room.
        StateUnwritableError: Any other refusal.
    """
    try:
        yield
    except OSError as error:
        raise storage_error(error, path) from error


def storage_error(error: OSError, path: Path) -> AgiError:
    """The catalogue's error for what the system said about writing this path."""
    kind = DiskFullError if error.errno in _NO_ROOM else StateUnwritableError
    return kind(f"it cannot be written: {error.strerror or error}", where=str(path))


def _replace(path: Path, data: bytes) -> None:
    # Not tempfile: its import costs every process of a run more than the file does.
    draft = path.with_name(f".{path.name}.{os.getpid()}-{os.urandom(6).hex()}")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        draft.replace(path)
    except BaseException:
        draft.unlink(missing_ok=True)
        raise
