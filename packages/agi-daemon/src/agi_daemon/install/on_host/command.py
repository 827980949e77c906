"""Commands that are run on the host, in a clean environment and with limits.

While one runs, a line says so now and then: silence means that the host itself is stuck.
"""

from __future__ import annotations

import os
import time

from agi_daemon.install.on_host.process_activity import activity, kill_tree
from agi_daemon.install.on_host.talk import Fault, say

TYPE_CHECKING = False
if TYPE_CHECKING:
    import subprocess
    from collections.abc import Mapping, Sequence
    from typing import Any

_KEPT = ("PATH", "HOME", "LANG")
_FULL = ("No space left on device", "os error 28")
_LOOKS = 4  # at a command, within the time that it may be idle
_LONGEST_PAUSE_S = 5.0
IDLE_S = 120.0


def run(
    argv: Sequence[str],
    env: Mapping[str, str],
    name: str,
    *,
    text: str = "",
    limit_s: float = 900,
    idle_s: float = IDLE_S,
) -> str:
    """Run a command and return what it wrote.

    Raises:
        Fault: It failed, took too long, made no progress, or found the disk full.
    """
    code, out, errors = attempt(argv, env, name, text=text, limit_s=limit_s, idle_s=idle_s)
    if code:
        lines = [line.strip() for line in errors.splitlines() if line.strip()]
        raise Fault("BUILD_FAILED", f"{name}: {', '.join(lines[:3]) or ending(code)}")
    return out


def attempt(
    argv: Sequence[str],
    env: Mapping[str, str],
    name: str,
    *,
    text: str = "",
    limit_s: float = 900,
    idle_s: float = IDLE_S,
) -> tuple[int, str, str]:
    """Run a command and return its exit code and what it wrote to both outputs.

    Args:
        argv: The command.
        env: Variables that it gets beside those of every command.
        name: What to call it.
        text: What it reads.
        limit_s: Seconds that it may take.
        idle_s: Seconds for which neither it nor what it started may do anything.

    Raises:
        Fault: It took too long, made no progress, or found the disk full.
    """
    import subprocess  # noqa: PLC0415 - a check that finds all in order runs no command

    pipe = subprocess.PIPE
    with subprocess.Popen(argv, stdin=pipe, stdout=pipe, stderr=pipe, env=_env(env)) as process:
        try:
            written, complaint = _watched(process, text.encode(), _Patience(limit_s, idle_s))
        except BaseException:
            kill_tree(process.pid)
            raise
        if complaint:
            kill_tree(process.pid)
            raise Fault("BUILD_FAILED", f"{name} {complaint}")
    errors = written[1].decode(errors="replace")
    if any(sign in errors for sign in _FULL):
        raise Fault("DISK_FULL", f"{name} found no space left on the device")
    return process.returncode, written[0].decode(errors="replace"), errors


def watch_end(argv: Sequence[str], limit_s: float) -> str:
    """Run a command whose outputs do not matter and say how it ended; empty when well."""
    import subprocess  # noqa: PLC0415

    quiet = subprocess.DEVNULL  # a pipe could be held open by what the command leaves behind
    streams: dict[str, Any] = {"stdin": quiet, "stdout": quiet, "stderr": quiet}
    end = time.monotonic() + limit_s
    with subprocess.Popen(argv, env=_env({}), **streams) as process:
        while True:
            try:
                return ending(process.wait(_LONGEST_PAUSE_S))
            except subprocess.TimeoutExpired:
                say("working")
            if time.monotonic() > end:
                kill_tree(process.pid)
                return f"did not end in {limit_s:g} s"


def ending(code: int) -> str:
    """An exit code in words; empty for 0."""
    if code == 0:
        return ""
    return f"ended its process by signal {-code}" if code < 0 else f"ended its process with {code}"


class _Patience:
    """How long a command may take, and how long it may do nothing."""

    def __init__(self, limit_s: float, idle_s: float) -> None:
        self._limit_s, self._idle_s = limit_s, idle_s
        self.pause_s = min(_LONGEST_PAUSE_S, idle_s / _LOOKS)
        self._began = self._moved = time.monotonic()
        self._seen = 0

    def complaint(self, pid: int) -> str:
        """What there is to complain of; empty while there is nothing."""
        now, seen = time.monotonic(), activity(pid)
        if seen != self._seen:
            self._seen, self._moved = seen, now
        if now - self._began > self._limit_s:
            return f"did not end in {self._limit_s:g} s"
        return (
            f"made no progress for {self._idle_s:g} s" if now - self._moved > self._idle_s else ""
        )


def _watched(
    process: subprocess.Popen[bytes], text: bytes, patience: _Patience
) -> tuple[tuple[bytes, bytes], str]:
    import subprocess  # noqa: PLC0415

    given: bytes | None = text
    while True:
        try:
            return process.communicate(given, timeout=patience.pause_s), ""
        except subprocess.TimeoutExpired:
            given = None
        say("working")
        complaint = patience.complaint(process.pid)
        if complaint:
            return (b"", b""), complaint


def _env(more: Mapping[str, str]) -> dict[str, str]:
    return {**{key: os.environ[key] for key in _KEPT if key in os.environ}, **more}
