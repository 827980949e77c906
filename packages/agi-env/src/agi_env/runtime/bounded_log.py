"""A log file that is held to a size: the first half of what was written, and the last.

While it grows, the beginning is in the file itself and the end in two segments beside it,
``<name>.tail-<n>``, of which the older one goes when the newer one is full. So everything is on
disk at every moment, and a writer may be killed. Closing joins the pieces, with a line where
something is missing. A file that is there already, from an earlier writer, becomes ``<name>.1``.
"""

from __future__ import annotations

import os
import re
from pathlib import Path

TAIL_BYTES = 8192
"""How much of a log's end goes with the cause of a failure."""

_SEGMENT = ".tail-"
_NOTE_BYTES = 128
_NOTE = re.compile(rb"\n\[\.\.\. (\d+) bytes were dropped here \.\.\.\]\n")


class BoundedLog:
    """The one writer of a log. It never raises for a disk that refuses: logs must not end runs.

    Attributes:
        path: The file.
        lost_bytes: How much the disk did not take.
    """

    def __init__(self, path: Path, limit_bytes: int) -> None:
        """Begin a log.

        Args:
            path: The file; its directory has to exist.
            limit_bytes: The most that the log may occupy, in bytes; at least 1024.
        """
        self.path = path
        self.lost_bytes = 0
        self._segment_bytes = max(limit_bytes, 1024) // 4
        self._room = 2 * self._segment_bytes - _NOTE_BYTES
        self._segment = -1
        self._fd = -1
        self._closed = False
        self._begin()

    def write(self, data: bytes) -> None:
        """Add to the log, and drop from its middle when it is full."""
        rest = memoryview(data)
        while rest:
            if not self._room:
                self._begin_segment()
            piece, rest = rest[: self._room], rest[self._room :]
            self._room -= len(piece)
            self._put(piece)

    def tail(self, size: int = TAIL_BYTES) -> bytes:
        """The last bytes written, as far as they are on disk."""
        return tail(self.path, size)

    def close(self) -> None:
        """Join the pieces into one file; doing it twice is allowed."""
        if self._closed:
            return
        self._closed = True
        self._let_go()
        _join(self.path, self.lost_bytes)

    def _begin(self) -> None:
        try:
            _set_aside(self.path)
            self._fd = _created(self.path)
        except OSError:
            self._fd = -1  # what is written is counted as lost

    def _begin_segment(self) -> None:
        self._let_go()
        self._segment += 1
        self._room = self._segment_bytes
        try:
            self._fd = _created(_segment_path(self.path, self._segment))
            if self._segment >= 2:
                _segment_path(self.path, self._segment - 2).unlink()
        except OSError:
            self._let_go()

    def _put(self, piece: memoryview) -> None:
        written = 0
        try:
            while self._fd >= 0 and written < len(piece):
                written += os.write(self._fd, piece[written:])
        except OSError:
            self._let_go()  # the next segment tries again: there may be room by then
        self.lost_bytes += len(piece) - written

    def _let_go(self) -> None:
        fd, self._fd = self._fd, -1
        if fd >= 0:
            os.close(fd)


def read(path: Path) -> bytes:
    """A whole log, also while it is written: beginning, a line about what was dropped, end."""
    segments = _segments(path)
    pieces = [_content(segment) for segment in segments]
    return b"".join([_content(path), _dropped(segments, pieces), *pieces])


def placed(path: Path) -> list[tuple[int, bytes]]:
    """The pieces of a log, also while it is written, each with how much was written before it."""
    segments = _segments(path)
    pieces = [_content(segment) for segment in segments]
    beginning = _content(path)
    if not segments:
        return _parted(beginning)
    full, first = max(map(len, pieces)), len(beginning)
    numbers = map(_number, segments)
    return [(0, beginning), *((first + n * full, p) for n, p in zip(numbers, pieces, strict=True))]


def note_of(dropped: int) -> bytes:
    """The line that stands where so many bytes are missing; nothing where none are."""
    return b"\n[... %d bytes were dropped here ...]\n" % dropped if dropped > 0 else b""


def files_of(path: Path) -> list[Path]:
    """The files that make up a log now."""
    return [path, *_segments(path)]


def tail(path: Path, size: int = TAIL_BYTES) -> bytes:
    """The last bytes of a log, also while it is written; empty when there is none."""
    end = b""
    for piece in (*reversed(_segments(path)), path):
        if len(end) >= size:
            break
        end = _content(piece, last=size - len(end)) + end
    return end


def _segment_path(path: Path, number: int) -> Path:
    return path.with_name(f"{path.name}{_SEGMENT}{number}")


def _number(segment: Path) -> int:
    return int(segment.name.rpartition(_SEGMENT)[2])


def _segments(path: Path) -> list[Path]:
    prefix = f"{path.name}{_SEGMENT}"
    found = [each for each in path.parent.iterdir() if each.name.startswith(prefix)]
    return sorted(found, key=_number)


def _created(path: Path) -> int:
    return os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_APPEND | os.O_CLOEXEC, 0o600)


def _content(path: Path, last: int | None = None) -> bytes:
    try:
        with path.open("rb") as file:
            if last is not None:
                file.seek(max(0, os.fstat(file.fileno()).st_size - last))
            return file.read()
    except FileNotFoundError:  # an old segment goes while others read
        return b""


def _parted(joined: bytes) -> list[tuple[int, bytes]]:
    """The pieces of a log that was closed, at the line where something is missing."""
    note = _NOTE.search(joined)
    if note is None:
        return [(0, joined)]
    return [(0, joined[: note.start()]), (note.start() + int(note[1]), joined[note.end() :])]


def _dropped(segments: list[Path], pieces: list[bytes]) -> bytes:
    # Every segment before the first one that is left was full, and so of the size of the largest.
    return note_of(_number(segments[0]) * max(map(len, pieces)) if segments else 0)


def _set_aside(path: Path) -> None:
    if path.exists():
        _join(path, 0)
        path.replace(path.with_name(f"{path.name}.1"))


def _join(path: Path, lost_bytes: int) -> None:
    note = b"\n[... the disk did not take %d bytes ...]\n" % lost_bytes if lost_bytes else b""
    segments = _segments(path)
    pieces = [_content(segment) for segment in segments]
    beginning = path.stat().st_size if path.exists() else 0
    try:
        with path.open("ab") as file:
            file.write(b"".join([_dropped(segments, pieces), *pieces, note]))
    except OSError:
        if path.exists():
            os.truncate(path, beginning)  # the pieces stay as they are, and are read as one
        return
    for segment in segments:
        segment.unlink()
