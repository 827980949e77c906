"""The lock of a run: holding it is being alive.

It is a lock of an open file description (``F_OFD_SETLK``): like one of ``flock`` it belongs to all
processes that inherited the file and goes with the last of them. Unlike one of ``flock`` it can be
asked about without being taken, so a look never gets in the way of a start.
"""

from __future__ import annotations

import errno
import fcntl
import os
import struct
from pathlib import Path
from types import TracebackType

from agi_env.atomic_file import storage_error

LOCK_FILE = "runner.lock"

# struct flock: type, whence, start, length (0: all), pid (0 for this kind of lock), padding.
_FLOCK = struct.Struct("@hhqqi0q")
_WHOLE_FILE = _FLOCK.pack(fcntl.F_WRLCK, os.SEEK_SET, 0, 0, 0)
_IN_USE = frozenset({errno.EAGAIN, errno.EACCES})


class RunLock:
    """The lock, held. A forked child holds it as well, until all of them have let go."""

    def __init__(self, fd: int) -> None:
        """Take over an open, locked file; use ``RunLock.take``."""
        self._fd = fd

    @classmethod
    def take(cls, run_dir: Path) -> RunLock | None:
        """Take the lock if it is free; never waits.

        Raises:
            StateUnwritableError: The run's directory is not there or cannot be written.
        """
        path = run_dir / LOCK_FILE
        try:
            fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise storage_error(error, path) from error
        try:
            fcntl.fcntl(fd, fcntl.F_OFD_SETLK, _WHOLE_FILE)
        except OSError as error:
            os.close(fd)
            if error.errno in _IN_USE:
                return None
            raise storage_error(error, path) from error
        return cls(fd)

    def let_go(self) -> None:
        """Let go in this process; others that inherited the lock keep it."""
        fd, self._fd = self._fd, -1
        if fd >= 0:
            os.close(fd)

    def __enter__(self) -> RunLock:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.let_go()


def is_held(run_dir: Path) -> bool:
    """Whether some process holds the lock of this run; asking disturbs nobody."""
    try:
        fd = os.open(run_dir / LOCK_FILE, os.O_RDWR | os.O_CLOEXEC)
    except FileNotFoundError:
        return False
    try:
        answer = fcntl.fcntl(fd, fcntl.F_OFD_GETLK, _WHOLE_FILE)
    finally:
        os.close(fd)
    kind: int = _FLOCK.unpack(answer)[0]
    return kind != fcntl.F_UNLCK
