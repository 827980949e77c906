"""The command lines of ``ssh``: never a question, never a weaker check than the user's own."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from pathlib import Path

from agi_cluster.client.ssh_address import SshAddress

CONNECT_TIMEOUT = 15
"""Seconds that ``ssh`` has to reach the manager."""

_OPTIONS = (
    # A question that nobody sees is a hang.
    "BatchMode=yes",
    f"ConnectTimeout={CONNECT_TIMEOUT}",
    # A connection that was cut is noticed within 45 s.
    "ServerAliveInterval=15",
    "ServerAliveCountMax=3",
    # One of our own: a shared connection would keep the forwarded socket when we are gone.
    "ControlMaster=no",
    "ControlPath=none",
    # What the user's configuration may want to run or to forward is for terminals.
    "RemoteCommand=none",
    "PermitLocalCommand=no",
    "ForwardAgent=no",
    "ForwardX11=no",
    # Says why a forwarded connection was refused, and nothing of its own accord.
    "LogLevel=INFO",
)
_SOCKET_THERE = (
    "state=${AGI_STATE_DIR:-${XDG_STATE_HOME:-$HOME/.local/state}/agi}; "
    'printf "agi-socket=%s\\n" "$state/run/daemon.sock"'
)
"""Asks a login shell where `agi_env.paths` puts the socket."""

_MARK = "agi-socket="


def forward(address: SshAddress, local: Path, remote: str) -> list[str]:
    """Carries what is written to a local socket to the one on the manager, until it is killed."""
    options = ("ExitOnForwardFailure=yes", "StreamLocalBindUnlink=yes", "StreamLocalBindMask=0177")
    return _ssh(address, options, ("-N", "-L", f"{local}:{remote}"))


def ask_for_socket(address: SshAddress) -> list[str]:
    """Has the manager say where the socket of the user's state directory is."""
    return [*_ssh(address, ("ClearAllForwardings=yes",)), shlex.join(["sh", "-c", _SOCKET_THERE])]


def told_socket(output: str) -> str:
    """The path in what `ask_for_socket` printed, among what a login may print; empty: none."""
    told = [line for line in output.splitlines() if line.startswith(_MARK)]
    return told[-1].removeprefix(_MARK) if told else ""


def _ssh(address: SshAddress, options: Sequence[str], more: Sequence[str] = ()) -> list[str]:
    command = ["ssh", "-T"]
    if address.config:
        command += ["-F", address.config]
    for option in (*_OPTIONS, *options):
        command += ["-o", option]
    if address.user:
        command += ["-l", address.user]
    if address.port:
        command += ["-p", str(address.port)]
    return [*command, *more, "--", address.host]
