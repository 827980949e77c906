"""Following a journal while it is written, without ever reading a byte of it twice for nothing."""

from __future__ import annotations

import os
from pathlib import Path

from agi_env.atomic_file import disk_errors
from agi_env.runtime.journal import SETTLED, Record, scan

CHUNK_BYTES = 1024 * 1024
"""How much is read at once; more only for a single line that is longer."""


class JournalTail:
    """A reader's place in a journal.

    It stays behind the last good record, so a writer that cuts off a damaged end, or another writer
    that goes on from there, is followed without a gap.

    Attributes:
        settled: Whether the record that ends a run has been read.
    """

    def __init__(self, path: Path, after: int = 0) -> None:
        """Start at the beginning of a journal, which need not be there yet.

        Args:
            path: The file.
            after: Leave out the records up to this number.
        """
        self.settled = False
        self._path = path
        self._after = after
        self._seq = 0
        self._offset = 0
        self._fd = -1

    def poll(self) -> list[Record]:
        """The next records, none when there are none now; never waits.

        What it returns is on disk: a power cut cannot take back what was told.

        Raises:
            DiskFullError, StateUnwritableError: The disk did not take what was written.
        """
        if not self._opened():
            return []
        found = scan(self._ahead(), self._seq)
        if found.records:
            with disk_errors(self._path):
                os.fdatasync(self._fd)
        self._offset += found.good_bytes
        self._seq = found.last_seq
        self.settled = self.settled or any(each.kind == SETTLED for each in found.records)
        return [record for record in found.records if record.seq > self._after]

    def close(self) -> None:
        """Let go of the file."""
        fd, self._fd = self._fd, -1
        if fd >= 0:
            os.close(fd)

    def _opened(self) -> bool:
        if self._fd < 0:
            try:
                self._fd = os.open(self._path, os.O_RDONLY | os.O_CLOEXEC)
            except FileNotFoundError:
                return False
        return True

    def _ahead(self) -> bytes:
        size = CHUNK_BYTES
        while True:
            data = os.pread(self._fd, size, self._offset)
            if len(data) < size or b"\n" in data:
                return data
            size *= 2
