"""Faults of logging in: the server, its key, the login shell, and what becomes of a session."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from hosts import sshd
from hosts.host import Fault, Host

SESSION = Path(__file__).with_name("session.py")
NOISE = """\
echo "Welcome to the cluster. Backups are on Sundays."
echo "warning: your quota is at 93 %" >&2
printf "no end of line"
"""
_HANGING = "agi-hanging-shell"


def sshd_stopped(*, connections: bool = False) -> Fault:
    """Nobody answers at the port; with ``connections`` those that are open end too."""

    def fault(host: Host) -> Iterator[None]:
        boot = host.boot
        host.sshd.stop()
        if connections:
            host.sshd.cut()
        yield
        if host.boot == boot:
            host.sshd.start()

    return fault


def host_key_changed(host: Host) -> Iterator[None]:
    """The server shows another key than before, as after a reinstallation."""
    key = host.sshd.key
    halves = (key, key.with_name(f"{key.name}.pub"))
    kept = [half.read_bytes() for half in halves]
    for half in halves:
        half.unlink()
    sshd.make_key(key)
    host.sshd.restart()
    yield
    for half, content in zip(halves, kept, strict=True):
        half.write_bytes(content)
    host.sshd.restart()


def noisy_shell(host: Host) -> Iterator[None]:
    """The login shell prints to both outputs before it runs anything."""
    with _bashrc(host, NOISE):
        yield


def hanging_shell(host: Host) -> Iterator[None]:
    """The login shell never comes to run anything."""
    with _bashrc(host, f"exec -a {_HANGING} sleep 1000000\n"):
        yield
    if host.boot:
        host.machine.kill(_HANGING)


def login_refused(host: Host) -> Iterator[None]:
    """No key is let in any more; who is in stays."""
    keys = host.disk / "root/.ssh/authorized_keys"
    aside = keys.rename(keys.with_name("nobody"))
    yield
    aside.rename(keys)


def sessions_end_with_logout(host: Host) -> Iterator[None]:
    """Detached processes are killed at logout, as systemd's ``KillUserProcesses=yes`` does."""
    program = host.disk / "usr/local/sbin/session"
    program.write_bytes(b"#!/usr/bin/python3 -I\n" + SESSION.read_bytes())
    program.chmod(0o755)
    host.sshd.configure("session", f"ForceCommand /{program.relative_to(host.disk)}\n")
    yield
    host.sshd.configure("session", "")
    program.unlink()


def frozen(host: Host) -> Iterator[None]:
    """Nothing on the host gets on, though its kernel still takes calls."""
    boot = host.boot
    pids = [pid for pid in host.machine.processes() if pid != host.machine.pid]
    _signal(pids, signal.SIGSTOP)
    yield
    if host.boot == boot:
        _signal(pids, signal.SIGCONT)


def _signal(pids: list[int], number: signal.Signals) -> None:
    for pid in pids:
        with suppress(ProcessLookupError):
            os.kill(pid, number)


@contextmanager
def _bashrc(host: Host, text: str) -> Iterator[None]:
    """Have root's shell read this first; bash reads it for commands of SSH as well."""
    file = host.disk / "root/.bashrc"
    kept = file.read_bytes() if file.exists() else None
    file.write_text(text)
    yield
    if kept is None:
        file.unlink(missing_ok=True)
    else:
        file.write_bytes(kept)
