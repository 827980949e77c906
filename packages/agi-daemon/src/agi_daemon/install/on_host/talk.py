"""Progress, answers and faults, as JSON lines on standard output."""

# pathlib would add a third to the time that a check takes; these paths are all below our root.
# ruff: noqa: PTH111
from __future__ import annotations

import errno
import os
import sys

from agi_daemon.install.on_host.json_text import dumps, loads

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from typing import Any, BinaryIO

_FULL = (errno.ENOSPC, errno.EDQUOT)


class Fault(Exception):  # noqa: N818 - it becomes an error of the catalogue on the manager
    """What went wrong, by its code in the catalogue."""

    def __init__(self, code: str, what: str, where: str = "", **facts: str) -> None:
        super().__init__(what)
        self.code, self.metadata = code, {"what": what, "where": where, **facts}


def say(step: str, **facts: Any) -> None:
    """One line of progress."""
    _write({"step": step, **facts})


def serve(
    stream: BinaryIO, act: Callable[[str, Mapping[str, Any], BinaryIO], Mapping[str, Any]]
) -> None:
    """Do what the first line of the stream asks, and answer with the last line of output."""
    os.umask(0o077)
    request = loads(stream.readline().decode())
    root = os.path.expanduser(request["root"])
    try:
        _write(act(root, request, stream))
    except Fault as fault:
        _write({"error": {"code": fault.code, "metadata": fault.metadata}})
    except OSError as error:
        code = "DISK_FULL" if error.errno in _FULL else "STATE_UNWRITABLE"
        where = str(error.filename or root)
        _write({"error": {"code": code, "metadata": {"what": str(error.strerror), "where": where}}})


def _write(value: Mapping[str, Any]) -> None:
    sys.stdout.write(dumps(value) + "\n")
    sys.stdout.flush()
