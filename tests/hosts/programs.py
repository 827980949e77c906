"""Programs of this machine, run with a deadline, and the error where needed ones are missing."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import time
from collections.abc import Callable, Sequence
from pathlib import Path

DEADLINE_S = 30.0
"""Seconds that any step has, where nothing else is said."""

SYSTEM_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
NEEDED = {
    "ip": "iproute2",
    "tc": "iproute2",
    "nft": "nftables",
    "sshd": "openssh-server",
    "ssh": "openssh-client",
    "ssh-keygen": "openssh-client",
    "unshare": "util-linux",
    "nsenter": "util-linux",
}
"""What has to be installed, and the package of Debian that has it."""


class UnavailableError(Exception):
    """This machine cannot have test hosts; the message says why."""


class ProgramError(Exception):
    """A program of this machine failed."""


def require() -> None:
    """Raise `UnavailableError` where there can be no test hosts."""
    if os.geteuid() != 0:
        raise UnavailableError("test hosts are made of namespaces, which needs root")
    for program, package in NEEDED.items():
        if which(program) is None:
            raise UnavailableError(f"{program} is not installed: apt-get install {package}")
    if not Path("/usr/bin/python3").exists():
        raise UnavailableError("/usr/bin/python3 is not installed: apt-get install python3")


def which(program: str) -> str | None:
    """Where a program is, on PATH or where the system keeps root's."""
    return shutil.which(program, path=f"{os.environ.get('PATH', '')}:{SYSTEM_PATH}")


def found(program: str) -> str:
    """Where a needed program is.

    Raises:
        UnavailableError: It is not installed.
    """
    path = which(program)
    if path is None:
        raise UnavailableError(f"{program} is not installed")
    return path


def start(argv: Sequence[str], *, stdin: int = subprocess.DEVNULL) -> subprocess.Popen[str]:
    """Start a program in a process group of its own, its output piped."""
    return subprocess.Popen(
        [found(argv[0]), *argv[1:]],
        stdin=stdin,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        errors="replace",
        start_new_session=True,
        env={"PATH": SYSTEM_PATH},
        cwd="/",
    )


def finish(
    process: subprocess.Popen[str],
    *,
    text: str | None = None,
    timeout_s: float = DEADLINE_S,
    check: bool = True,
) -> subprocess.CompletedProcess[str]:
    """Await a started program; past its deadline its group is killed.

    Args:
        process: What `start` returned.
        text: What it is told on its standard input, where that is a pipe.
        timeout_s: Seconds that it has.
        check: Whether a failure is an error.

    Raises:
        ProgramError: It failed.
        subprocess.TimeoutExpired: It did not end in time.
    """
    with process:
        try:
            out, err = process.communicate(text, timeout=timeout_s)
        except BaseException:
            os.killpg(process.pid, signal.SIGKILL)
            raise
    done = subprocess.CompletedProcess(process.args, process.returncode, out, err)
    if check and done.returncode:
        raise ProgramError(
            f"{done.args} ended with {done.returncode}: {err.strip() or out.strip()}"
        )
    return done


def run(
    *argv: str, text: str | None = None, timeout_s: float = DEADLINE_S, check: bool = True
) -> subprocess.CompletedProcess[str]:
    """Run a program to its end; see `finish`."""
    stdin = subprocess.DEVNULL if text is None else subprocess.PIPE
    return finish(start(argv, stdin=stdin), text=text, timeout_s=timeout_s, check=check)


def eventually(holds: Callable[[], bool], what: str, timeout_s: float = DEADLINE_S) -> None:
    """Return once it holds.

    Raises:
        TimeoutError: It did not within ``timeout_s`` seconds; ``what`` says what was awaited.
    """
    deadline = time.monotonic() + timeout_s
    while not holds():
        if time.monotonic() > deadline:
            raise TimeoutError(f"not within {timeout_s:g} s: {what}")
        time.sleep(0.005)
