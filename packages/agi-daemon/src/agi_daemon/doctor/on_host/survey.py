"""What a host has: Python, uv, a compiler, room on the disk, a clock."""

# pathlib is not imported: this is sent to hosts, and starts in a few milliseconds without it.
# ruff: noqa: PTH108, PTH110, PTH118, PTH120, PTH123
from __future__ import annotations

import errno
import os
import sys
import time

from agi_daemon.doctor.on_host.patience import within
from agi_daemon.install.on_host.command import attempt
from agi_daemon.install.on_host.facts import find_uv
from agi_daemon.install.on_host.talk import Fault, serve

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any, BinaryIO

_COMPILERS = ("cc", "gcc", "clang")
_PROBE_BYTES = 64 * 1024


def survey(root: str, request: Mapping[str, Any], _: BinaryIO) -> dict[str, Any]:
    """Look at all of it; nothing is changed."""
    limit_s = request["limit_s"]
    uv = find_uv(request["uv"])
    return {
        "python": ".".join(map(str, sys.version_info[:3])),
        "python_path": sys.executable,
        "uv": uv,
        "uv_says": _said([uv, "--version"], limit_s) if uv else "",
        "compiler": _found(_COMPILERS),
        "disk": within(limit_s, lambda: disk(root)) or {"place": root, "fault": "HANGS"},
        # Last, and by the host's own command: what else was asked shall not make it look late.
        "clock": _clock(limit_s),
    }


def disk(root: str) -> dict[str, Any]:
    """The room where our files are or would be, and whether a file can be written there."""
    place = root
    while not os.path.exists(place):
        place = os.path.dirname(place)
    room = os.statvfs(place)
    found = {
        "place": place,
        "free": room.f_bavail * room.f_frsize,
        "total": room.f_blocks * room.f_frsize,
    }
    draft = os.path.join(place, f".agi-check-{os.getpid()}")
    try:
        with open(draft, "wb") as file:
            file.write(b"\0" * _PROBE_BYTES)
            file.flush()
            os.fsync(file.fileno())
    except OSError as error:
        found.update(fault=errno.errorcode.get(error.errno or 0, "EIO"), words=error.strerror)
    finally:
        if os.path.exists(draft):
            os.unlink(draft)
    return found


def main(stream: BinaryIO) -> None:
    """Answer the one question that the stream asks."""
    serve(stream, survey)


def _clock(limit_s: float) -> float:
    said = _said(["date", "+%s.%N"], limit_s)
    try:
        return float(said)
    except ValueError:  # no `date`, or one without nanoseconds
        return time.time()


def _said(argv: list[str], limit_s: float) -> str:
    try:
        code, out, _ = attempt(argv, {}, argv[0], limit_s=limit_s)
    except (OSError, Fault):
        return ""
    return "" if code else out.strip()


def _found(names: tuple[str, ...]) -> str:
    folders = os.environ.get("PATH", os.defpath).split(os.pathsep)
    paths = [os.path.join(folder, name) for name in names for folder in folders if folder]
    return next((path for path in paths if os.access(path, os.X_OK)), "")
