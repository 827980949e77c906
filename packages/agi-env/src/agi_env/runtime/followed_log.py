"""What is new in a bounded log since it was looked at last."""

from __future__ import annotations

import codecs
from pathlib import Path

from agi_env.runtime import bounded_log


class FollowedLog:
    """A log that is read as it grows; what was dropped before it could be read is told.

    Args:
        path: The file; it need not be there.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._seen: object = None
        self._position = 0
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")

    def new(self) -> str:
        """The text since the last look, never cut inside a character; empty where there is none."""
        seen = _state_of(self.path)
        if seen == self._seen:
            return ""
        self._seen = seen
        return "".join(
            self._after(position, data) for position, data in bounded_log.placed(self.path)
        )

    def _after(self, position: int, data: bytes) -> str:
        dropped = position - self._position
        if dropped > 0:
            self._position = position
        new = data[max(0, -dropped) :]
        self._position += len(new)
        return self._decoder.decode(bounded_log.note_of(dropped) + new)


def _state_of(path: Path) -> object:
    """What changes with each write: names, inodes and sizes of the pieces."""
    found = []
    for piece in bounded_log.files_of(path):
        try:
            info = piece.stat()
        except FileNotFoundError:  # an old segment goes while others read
            continue
        found.append((piece.name, info.st_ino, info.st_size))
    return found
