"""Notice that something in a directory changed, without looking again and again.

Linux's inotify through libc. It is a way to sleep longer and not a promise: where it cannot be had,
for there is a limit to how many a user may have, whoever waits has to look now and then.
"""

from __future__ import annotations

import ctypes
import os
from pathlib import Path

_IN_MODIFY, _IN_MOVED_TO, _IN_CREATE = 0x2, 0x80, 0x100
_CHUNK_BYTES = 64 * 1024


class DirectoryWatch:
    """Becomes readable when a file in a directory is written, made or renamed into place.

    Attributes:
        fd: The descriptor to wait for; negative where the system grants none.
    """

    def __init__(self, directory: Path) -> None:
        libc = ctypes.CDLL(None)
        self.fd: int = libc.inotify_init1(os.O_NONBLOCK | os.O_CLOEXEC)
        mask = ctypes.c_uint32(_IN_MODIFY | _IN_MOVED_TO | _IN_CREATE)
        if self.fd >= 0 and libc.inotify_add_watch(self.fd, os.fsencode(directory), mask) < 0:
            self.close()

    def clear(self) -> None:
        """Forget what has changed until now."""
        try:
            while self.fd >= 0:
                os.read(self.fd, _CHUNK_BYTES)
        except BlockingIOError:
            return

    def close(self) -> None:
        """Let go of it; doing it twice is allowed."""
        fd, self.fd = self.fd, -1
        if fd >= 0:
            os.close(fd)
