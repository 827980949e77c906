"""Starting the daemon's own program to put its store right, while no daemon runs."""

from __future__ import annotations

import json
import subprocess
import tempfile
from typing import Any

from agi_cluster.client.address import Address
from agi_cluster.client.autostart import daemon_command
from agi_cluster.client.ssh_address import SshAddress
from agi_env import paths
from agi_env.errors import DaemonStartError, OutOfTimeError, RefusedError, error_from

DEADLINE_S = 3600.0
"""Seconds that reading the directories of all runs on all hosts may take."""


def recovered(command: str, *words: str) -> dict[str, Any]:
    """What the program says that it did.

    Args:
        command: ``restore`` or ``rebuild``.
        words: Its arguments.

    Raises:
        RefusedError: ``AGI_ADDRESS`` names a daemon elsewhere.
        AgiError: The program's own error.
    """
    if isinstance(Address.here(), SshAddress):
        raise RefusedError(
            "the store of another machine is put right there",
            where=str(Address.here()),
            remedy=f"Log in there and call `agi daemon {command}`",
        )
    serve = daemon_command(paths.state_dir())
    argv = [command if word == "serve" else word for word in serve] + list(words)
    return _answer(argv)


def _answer(argv: list[str]) -> dict[str, Any]:
    with tempfile.TemporaryFile() as errors:
        try:
            ended = subprocess.run(
                argv,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=errors,
                cwd="/",
                timeout=DEADLINE_S,
                check=False,
                process_group=0,
            )
        except subprocess.TimeoutExpired as late:
            raise OutOfTimeError(f"it did not end in {DEADLINE_S:g} s", where=argv[0]) from late
        errors.seek(0)
        said = errors.read().decode(errors="replace").strip().splitlines()
    if ended.returncode == 0:
        done: dict[str, Any] = json.loads(ended.stdout)
        return done
    try:
        told = json.loads(said[-1])
        raise error_from(told["code"], told["metadata"])
    except (ValueError, IndexError, KeyError, TypeError):
        raise DaemonStartError(said[-1] if said else "it said nothing") from None
