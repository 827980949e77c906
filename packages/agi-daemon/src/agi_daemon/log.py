"""The daemon's log: one JSON object per line, in a file of bounded size.

It is written through the standard library's ``logging``. structlog was tried: where ``rich`` is
installed its import alone costs 0.27 s and 17 MB, more than all else the daemon does to start.

Requests are never logged, only what they were called and how they ended; a fact whose name sounds
like a secret is left out all the same.
"""

from __future__ import annotations

import json
import logging
import os
import re
import traceback
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from io import TextIOWrapper
from logging.handlers import RotatingFileHandler
from pathlib import Path

from agi_env.atomic_file import storage_error

_ROOT = "agi_daemon"
_SECRET = re.compile(r"password|passphrase|secret|credential|private_key|authorization", re.I)
_MOST_TRACE = 32 * 1024
_MIB = 1024 * 1024


class Log:
    """A named log that takes an event and its facts."""

    def __init__(self, name: str) -> None:
        self._logger = logging.getLogger(name)

    def debug(self, event: str, /, **facts: object) -> None:
        """What only a search for a defect needs."""
        self._write(logging.DEBUG, event, facts)

    def info(self, event: str, /, **facts: object) -> None:
        """What happened."""
        self._write(logging.INFO, event, facts)

    def warning(self, event: str, /, **facts: object) -> None:
        """What should not have happened and was coped with."""
        self._write(logging.WARNING, event, facts)

    def error(self, event: str, /, error: BaseException | None = None, **facts: object) -> None:
        """What went wrong, with the trace of ``error``."""
        self._write(logging.ERROR, event, facts, error)

    def _write(
        self, level: int, event: str, facts: dict[str, object], error: BaseException | None = None
    ) -> None:
        if self._logger.isEnabledFor(level):
            self._logger.log(level, "%s", event, exc_info=error, extra={"facts": facts})


def get_log(name: str) -> Log:
    """The log of a module: ``get_log(__name__)``."""
    return Log(name)


@contextmanager
def open_log(path: Path, *, level: str = "info", most_bytes: int = 8 * _MIB) -> Iterator[Path]:
    """Write what this process logs to a file while the context lasts.

    Args:
        path: The file; when it is full it becomes ``<path>.1`` and replaces the one before.
        level: The least that is written of our own events; of libraries, warnings and errors.
        most_bytes: The most that one file holds.

    Raises:
        StateUnwritableError: The file cannot be written.
        DiskFullError: There is no room for it.
    """
    try:
        handler = _PrivateFile(path, maxBytes=most_bytes, backupCount=1, encoding="utf-8")
    except OSError as error:
        raise storage_error(error, path) from error
    handler.setFormatter(_JsonLines())
    root, ours = logging.getLogger(), logging.getLogger(_ROOT)
    before = ours.level
    root.addHandler(handler)
    ours.setLevel(level.upper())
    try:
        yield path
    finally:
        root.removeHandler(handler)
        ours.setLevel(before)
        handler.close()


class _PrivateFile(RotatingFileHandler):
    """A file of mode 0600 that never disturbs who logs, not even on a full disk."""

    def _open(self) -> TextIOWrapper:
        descriptor = os.open(self.baseFilename, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        self._size = os.fstat(descriptor).st_size
        return os.fdopen(descriptor, "a", encoding=self.encoding)

    def emit(self, record: logging.LogRecord) -> None:
        """As in the base class, which formats every line twice and asks the disk for its size."""
        try:
            line = self.format(record) + self.terminator
            size = len(line.encode())
            if 0 < self.maxBytes < self._size + size:
                self.doRollover()
            self._size += size
            assert self.stream is not None
            self.stream.write(line)
            self.flush()
        except Exception:  # noqa: BLE001 - logging must never fail its caller
            self.handleError(record)

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802
        """Lose the line: there is nowhere left to say so."""

    def close(self) -> None:
        """Close the file, losing what a full disk has no room for."""
        with suppress(OSError):
            super().close()


class _JsonLines(logging.Formatter):
    """Writes a record as one line of JSON, its time in UTC."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the line, without its end."""
        line: dict[str, object] = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "log": record.name,
            "event": record.getMessage(),
            **_safe(getattr(record, "facts", {})),
        }
        if record.exc_info and record.exc_info[1] is not None:
            line["trace"] = "".join(traceback.format_exception(record.exc_info[1]))[-_MOST_TRACE:]
        return json.dumps(line, default=str, ensure_ascii=False)


def _safe(facts: dict[str, object]) -> dict[str, object]:
    return {name: "***" if _SECRET.search(name) else value for name, value in facts.items()}
