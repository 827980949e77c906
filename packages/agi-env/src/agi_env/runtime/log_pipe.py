"""The pipe that an executor prints into, emptied into a bounded log as fast as it fills."""

from __future__ import annotations

import asyncio
import fcntl
import os

from agi_env.runtime.bounded_log import TAIL_BYTES, BoundedLog

_CHUNK_BYTES = 256 * 1024
_PIPE_BYTES = 1024 * 1024
_CHUNKS_AT_ONCE = 16


class LogPipe:
    """One process's output on its way into a log.

    Attributes:
        writer: The descriptor to give to the process; closed here by ``close_writer``.
    """

    def __init__(self, log: BoundedLog) -> None:
        self._log = log
        self._written = 0
        self._loop = asyncio.get_running_loop()
        self._reader, self.writer = os.pipe2(os.O_CLOEXEC)
        os.set_blocking(self._reader, False)
        self._enlarge()
        self._loop.add_reader(self._reader, self.drain)

    def close_writer(self) -> None:
        """Let go of the end that the process has by now."""
        os.close(self.writer)

    def drain(self) -> None:
        """Move what is in the pipe into the log, and a bounded amount of what comes meanwhile."""
        for _ in range(_CHUNKS_AT_ONCE):
            if not self._move():
                return

    def tail(self) -> str:
        """The last text that this process printed, at most 8 KiB."""
        self.drain()
        size = min(TAIL_BYTES, self._written)
        return self._log.tail(size).decode(errors="replace") if size else ""

    def close(self) -> None:
        """Move what is left and let go of the pipe."""
        self.drain()
        self._loop.remove_reader(self._reader)
        os.close(self._reader)

    def _move(self) -> bool:
        try:
            data = os.read(self._reader, _CHUNK_BYTES)
        except BlockingIOError:
            return False
        if not data:
            self._loop.remove_reader(self._reader)
            return False
        self._written += len(data)
        self._log.write(data)
        return True

    def _enlarge(self) -> None:
        # A larger pipe only saves switches; the user's quota for pipes may be used up.
        try:
            fcntl.fcntl(self._reader, fcntl.F_SETPIPE_SZ, _PIPE_BYTES)
        except PermissionError:
            return
