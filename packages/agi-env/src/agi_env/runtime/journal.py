r"""The journal of a run: the truth of what happened, as checksummed lines that are only appended.

A line is ``<crc32 as 8 hex digits> <json>\n``. The JSON object has ``seq`` (from 1, one more
each), ``t`` (unix seconds), ``epoch``, ``kind`` and the fields of that kind. A reader stops at the
first line that is not whole and right; a writer that opens cuts the file there and says so in a
record ``journal_recovered``. There is one writer at a time: whoever holds the run's lock.
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from zlib import crc32

from agi_env.atomic_file import disk_errors, sync_directory
from agi_env.errors import ConflictError, InternalError, StateUnreadableError

JOURNAL_FILE = "journal"
SETTLED = "settled"
"""The kind of the last record of a run."""
RECOVERED = "journal_recovered"
"""The kind of the record that says how much was cut off."""

_OWN_KEYS = frozenset({"seq", "t", "epoch", "kind"})


@dataclass(frozen=True, slots=True)
class Record:
    """One fact.

    Attributes:
        seq: Its number in the journal, from 1.
        t: When it was written, in unix seconds.
        epoch: Which start of the runner wrote it.
        kind: What it is about.
        data: The fields of this kind.
    """

    seq: int
    t: float
    epoch: int
    kind: str
    data: Mapping[str, Any] = field(default_factory=dict)

    def to_dict(self) -> dict[str, Any]:
        """The record as one flat JSON object."""
        own = {"seq": self.seq, "t": self.t, "epoch": self.epoch, "kind": self.kind}
        return {**own, **self.data}

    def to_line(self) -> bytes:
        """The record as a line of the journal, with its end of line."""
        body = json.dumps(self.to_dict(), separators=(",", ":")).encode("ascii")
        return b"%08x %b\n" % (crc32(body), body)

    @classmethod
    def from_dict(cls, facts: Mapping[str, Any]) -> Record:
        """Read what ``to_dict`` gave.

        Raises:
            StateUnreadableError: A field is missing or is of another type.
        """
        match facts:
            case {
                "seq": int(seq),
                "t": int() | float() as t,
                "epoch": int(epoch),
                "kind": str(kind),
            }:
                data = {key: value for key, value in facts.items() if key not in _OWN_KEYS}
                return cls(seq, t, epoch, kind, data)
        raise StateUnreadableError("a line is no record", where="journal")

    @classmethod
    def from_line(cls, line: bytes) -> Record:
        """Read what ``to_line`` wrote, with or without its end of line.

        Raises:
            StateUnreadableError: The line is damaged.
        """
        body = line.removesuffix(b"\n")[9:]
        if line[:9] != b"%08x " % crc32(body):
            raise StateUnreadableError("a checksum does not match", where="journal")
        try:
            return cls.from_dict(json.loads(body))
        except ValueError as error:
            raise StateUnreadableError("a line is no JSON", where="journal") from error


@dataclass(frozen=True, slots=True)
class Recovered:
    """What a journal says, up to its first damage.

    Attributes:
        records: The records asked for, each once, in order.
        last_seq: The number of the last good record, whether asked for or not; 0 when none.
        good_bytes: Where the last good record ends.
        dropped_bytes: How much follows that cannot be used.
        reason: Why it cannot be used; empty when all is well.
    """

    records: list[Record]
    last_seq: int
    good_bytes: int
    dropped_bytes: int
    reason: str

    @property
    def settled(self) -> bool:
        """Whether the run has come to its end."""
        return any(record.kind == SETTLED for record in self.records)

    @property
    def last_epoch(self) -> int:
        """The highest epoch that wrote; 0 when none did."""
        return max((record.epoch for record in self.records), default=0)


class Journal:
    """The journal, open for its one writer.

    Attributes:
        records: What was there when it was opened, and what opening it added.
    """

    def __init__(self, fd: int, path: Path, epoch: int, found: Recovered) -> None:
        """Take over an open file; use ``Journal.open``."""
        self.records = list(found.records)
        self._fd = fd
        self._path = path
        self._epoch = epoch
        self._seq = found.last_seq
        self._size = found.good_bytes
        self._dirty = False

    @classmethod
    def open(cls, path: Path, epoch: int) -> Journal:
        """Open a journal to append to it, making it when it is not there.

        What follows the last good record is cut off, and a record says how much that was.

        Args:
            path: The file.
            epoch: Which start of the runner this is, from 1.

        Raises:
            ConflictError: A later start has written already.
            DiskFullError, StateUnwritableError: The file cannot be written.
        """
        found = read(path)
        if epoch < found.last_epoch:
            raise ConflictError(f"epoch {found.last_epoch} follows epoch {epoch}", where=str(path))
        with disk_errors(path):
            fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
            sync_directory(path.parent)
        journal = cls(fd, path, epoch, found)
        if found.dropped_bytes:
            journal._cut(found)
        return journal

    def append(self, kind: str, /, **fields: Any) -> Record:
        """Write a record, at once visible to readers, on disk only after ``flush``.

        Raises:
            DiskFullError, StateUnwritableError: It could not be written; nothing of it is there.
        """
        if not _OWN_KEYS.isdisjoint(fields):
            raise InternalError(f"a record of kind {kind} names a field that every record has")
        record = Record(self._seq + 1, time.time(), self._epoch, kind, fields)
        self._write(record.to_line())
        self._seq = record.seq
        return record

    def flush(self) -> None:
        """Return when everything appended so far is on disk. May be called from another thread.

        Raises:
            DiskFullError, StateUnwritableError: The disk refused. What it holds is not known then,
                so the journal is closed: open it again to find out.
        """
        if not self._dirty:
            return
        self._dirty = False
        try:
            with disk_errors(self._path):
                os.fdatasync(self._fd)
        except BaseException:
            self._release()
            raise

    def close(self) -> None:
        """Flush and let go of the file; doing it twice is allowed."""
        if self._fd < 0:
            return
        self.flush()
        self._release()

    def _release(self) -> None:
        fd, self._fd = self._fd, -1
        os.close(fd)

    def _cut(self, found: Recovered) -> None:
        with disk_errors(self._path):
            os.ftruncate(self._fd, found.good_bytes)
        lost = {"dropped_bytes": found.dropped_bytes, "reason": found.reason}
        self.records.append(self.append(RECOVERED, **lost))
        self.flush()

    def _write(self, line: bytes) -> None:
        self._dirty = True
        with disk_errors(self._path):
            try:
                written = 0
                while written < len(line):
                    written += os.write(self._fd, line[written:])
            except OSError:
                if self._fd >= 0:  # half a line would spoil every line after it
                    os.ftruncate(self._fd, self._size)
                raise
        self._size += len(line)


def read(path: Path, after: int = 0) -> Recovered:
    """Read a journal up to its first damage; one that is not there is empty.

    Args:
        path: The file; it may be written at the same time.
        after: Leave out the records up to this number.
    """
    try:
        data = path.read_bytes()
    except FileNotFoundError:
        data = b""
    found = scan(data)
    return Recovered(
        [record for record in found.records if record.seq > after],
        found.last_seq,
        found.good_bytes,
        found.dropped_bytes,
        found.reason,
    )


def scan(data: bytes, last_seq: int = 0) -> Recovered:
    """Read the records in a piece of a journal, which begins at the start of a line.

    Lines that repeat earlier records are passed over. At the end of the data they count as
    dropped, so that a writer cuts them off.

    Args:
        data: The piece.
        last_seq: The number of the record before it.
    """
    records: list[Record] = []
    position = good = 0
    reason = ""
    while not reason and (end := data.find(b"\n", position)) >= 0:
        record, reason = _parsed(data[position:end], last_seq)
        position = end + 1
        if record is not None:
            records.append(record)
            last_seq, good = record.seq, position
    if not reason and good < len(data):
        reason = "the last line is torn" if position < len(data) else "records are repeated"
    return Recovered(records, last_seq, good, len(data) - good, reason)


def _parsed(line: bytes, last_seq: int) -> tuple[Record | None, str]:
    try:
        record = Record.from_line(line)
    except StateUnreadableError as error:
        return None, error.what
    if record.seq > last_seq + 1:
        return None, "records are missing"
    return (record if record.seq == last_seq + 1 else None), ""
