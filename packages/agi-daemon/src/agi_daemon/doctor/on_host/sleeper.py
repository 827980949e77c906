"""A detached process that does nothing, to see whether it outlives the login that started it."""

# ruff: noqa: PTH123
from __future__ import annotations

import os
import signal
import time

from agi_daemon.install.on_host.talk import serve

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any, BinaryIO

_START_TIME = 19  # the field of /proc/PID/stat after the name in parentheses and the two behind it


def act(_: str, request: Mapping[str, Any], __: BinaryIO) -> dict[str, Any]:
    """Start one for some seconds, or look whether one lives, and end it."""
    if "pid" not in request:
        return start(request["seconds"])
    alive = start_time(request["pid"]) == request["started"]
    if alive:
        os.kill(request["pid"], signal.SIGKILL)
    return {"alive": alive}


def start(seconds: float) -> dict[str, Any]:
    """Start one as runners are started: in a session of its own, its parent gone."""
    reading, writing = os.pipe()
    child = os.fork()
    if not child:
        os.setsid()
        if os.fork():
            os._exit(0)
        os.write(writing, str(os.getpid()).encode())
        _sleep(seconds)
    os.close(writing)
    os.waitpid(child, 0)
    pid = int(os.read(reading, 32))
    os.close(reading)
    return {"pid": pid, "started": start_time(pid)}


def start_time(pid: int) -> str:
    """When a process started, in the kernel's ticks; empty when there is none that runs."""
    try:
        with open(f"/proc/{pid}/stat", encoding="ascii", errors="replace") as file:
            fields = file.read().rpartition(")")[2].split()
    except (FileNotFoundError, ProcessLookupError):
        return ""
    return "" if fields[0] in "ZX" else fields[_START_TIME]


def main(stream: BinaryIO) -> None:
    """Do the one thing that the stream asks."""
    serve(stream, act)


def _sleep(seconds: float) -> None:
    try:
        nothing = os.open(os.devnull, os.O_RDWR)
        for stream in (0, 1, 2):
            os.dup2(nothing, stream)
        time.sleep(seconds)
    finally:
        os._exit(0)
