"""The lock of a build: shared by everything that runs in it, wanted alone by whoever removes it.

It is the file ``<build>.lock`` beside the build, locked by ``flock``. The time of that file is when
the build was last used.
"""

from __future__ import annotations

import fcntl
import os
import sys
from pathlib import Path

from agi_env.atomic_file import storage_error
from agi_env.errors import NotInstalledError

MANIFEST_FILE = "manifest.json"


def hold_own() -> None:
    """Share the lock of the build that this interpreter is of, until this process has ended.

    Processes that are forked hold it too. An interpreter that is of no build holds nothing.

    Raises:
        NotInstalledError: The build is being removed.
        DiskFullError, StateUnwritableError: There is no room for the lock, or it cannot be written.
    """
    build = Path(sys.prefix)
    if (build / MANIFEST_FILE).exists():
        hold(build)


def hold(build: Path) -> int:
    """Share the lock of a build; the file descriptor that holds it.

    Raises:
        NotInstalledError: The build is being removed.
        DiskFullError, StateUnwritableError: There is no room for the lock, or it cannot be written.
    """
    path = build.with_name(f"{build.name}.lock")
    while True:
        held = _locked(path, build)
        if _is_file(held, path):  # not the one that was removed with an earlier build
            break
        os.close(held)
    if not (build / MANIFEST_FILE).exists():
        os.close(held)
        raise _removed(build)
    os.utime(held)
    return held


def _locked(path: Path, build: Path) -> int:
    try:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise storage_error(error, path) from error
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(descriptor)
        raise _removed(build) from None
    return descriptor


def _is_file(descriptor: int, path: Path) -> bool:
    try:
        there = path.stat()
    except FileNotFoundError:
        return False
    return os.path.samestat(os.fstat(descriptor), there)


def _removed(build: Path) -> NotInstalledError:
    return NotInstalledError("the build was removed, or is being removed", where=str(build))
