"""Commands that are run on the host, in a clean environment and with a limit."""

from __future__ import annotations

import os

from agi_daemon.install.on_host.talk import Fault

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

_KEPT = ("PATH", "HOME", "LANG")
_FULL = ("No space left on device", "os error 28")


def run(
    argv: Sequence[str], env: Mapping[str, str], name: str, *, text: str = "", limit_s: float = 900
) -> str:
    """Run a command and return what it wrote.

    Raises:
        Fault: It failed, took longer than ``limit_s`` seconds, or found the disk full.
    """
    code, out, errors = attempt(argv, env, name, text=text, limit_s=limit_s)
    if code:
        lines = [line.strip() for line in errors.splitlines() if line.strip()]
        raise Fault("BUILD_FAILED", f"{name}: {': '.join(lines[:3]) or ending(code)}")
    return out


def attempt(
    argv: Sequence[str], env: Mapping[str, str], name: str, *, text: str = "", limit_s: float = 900
) -> tuple[int, str, str]:
    """Run a command and return its exit code and what it wrote to both outputs."""
    import subprocess  # noqa: PLC0415 - a check that finds all in order runs no command

    kept = {key: os.environ[key] for key in _KEPT if key in os.environ}
    try:
        done = subprocess.run(
            argv,
            input=text.encode(),
            capture_output=True,
            env={**kept, **env},
            timeout=limit_s,
            check=False,
        )
    except subprocess.TimeoutExpired:
        raise Fault("BUILD_FAILED", f"{name} did not end in {limit_s:g} s") from None
    errors = done.stderr.decode(errors="replace")
    if any(sign in errors for sign in _FULL):
        raise Fault("DISK_FULL", f"{name} found no space left on the device")
    return done.returncode, done.stdout.decode(errors="replace"), errors


def watch_end(argv: Sequence[str], limit_s: float) -> str:
    """Run a command whose outputs do not matter and say how it ended; empty when well."""
    import subprocess  # noqa: PLC0415

    kept = {key: os.environ[key] for key in _KEPT if key in os.environ}
    quiet = subprocess.DEVNULL  # a pipe could be held open by what the command leaves behind
    try:
        done = subprocess.run(
            argv, stdin=quiet, stdout=quiet, stderr=quiet, env=kept, timeout=limit_s, check=False
        )
    except subprocess.TimeoutExpired:
        return f"did not end in {limit_s:g} s"
    return ending(done.returncode)


def ending(code: int) -> str:
    """An exit code in words; empty for 0."""
    if code == 0:
        return ""
    return f"ended its process by signal {-code}" if code < 0 else f"ended its process with {code}"
