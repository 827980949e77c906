"""The lines that arrive on stdin, read without ever waiting for a line that is not there."""

from __future__ import annotations

import os
import select
import time
from collections import deque

from agi_env.errors import OutOfTimeError, RequestInvalidError

_CHUNK_BYTES = 64 * 1024
_MOST_BYTES = 1024 * 1024


class StdinLines:
    """What was read, cut into lines.

    Attributes:
        fd: The descriptor, to wait for.
    """

    def __init__(self, fd: int = 0) -> None:
        self.fd = fd
        self._lines: deque[bytes] = deque()
        self._torn = b""

    def read(self) -> bool:
        """Read what is there, or wait for some; false at the end.

        Raises:
            RequestInvalidError: A line is longer than 1 MiB.
        """
        data = os.read(self.fd, _CHUNK_BYTES)
        *lines, self._torn = (self._torn + data).split(b"\n")
        if len(self._torn) > _MOST_BYTES:
            raise RequestInvalidError("a line on stdin is too long")
        self._lines.extend(line for line in lines if line.strip())
        return bool(data)

    def complete(self) -> list[bytes]:
        """The lines that are complete, each once."""
        lines = list(self._lines)
        self._lines.clear()
        return lines

    def first(self, timeout_s: float) -> bytes:
        """Wait for the next line.

        Raises:
            OutOfTimeError: It did not come.
            RequestInvalidError: Stdin ended before it.
        """
        deadline = time.monotonic() + timeout_s
        while not self._lines:
            left = deadline - time.monotonic()
            if left <= 0 or not select.select([self.fd], [], [], left)[0]:
                raise OutOfTimeError("nothing came on stdin")
            if not self.read():
                raise RequestInvalidError("stdin ended before its first line")
        return self._lines.popleft()
