"""Faults of single connections: delayed, or cut between a start and its answer."""

from __future__ import annotations

import json
import os
import select
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from hosts import programs
from hosts.faults.network import rules
from hosts.host import Fault, Host
from hosts.programs import DEADLINE_S, ProgramError

RELAY = Path(__file__).with_name("relay.py")
_PORT = 2022
_REDIRECT = (
    "chain in { type nat hook prerouting priority dstnat; "
    'iifname != "lo" tcp dport %d redirect to :%d; }\n'
)


def delayed(delay_s: float) -> Fault:
    """Everything on connections that are made now takes this many seconds in each direction."""
    return lambda host: relayed(host, delay_s=delay_s)


def cut_after(count: int) -> Fault:
    """The next connection is cut once this many bytes have come from the host, all included."""
    return lambda host: relayed(host, cut_after=count)


def cut_when(pattern: str) -> Fault:
    """The next connection is cut, and no answer passes, once a file like this is on the host.

    What a command answers after it made the file is never seen by who started it.

    Args:
        pattern: An absolute path with wildcards.
    """
    return lambda host: relayed(host, cut_when=f"/proc/{host.machine.pid}/root{pattern}")


def relayed(host: Host, **options: float | str) -> Iterator[None]:
    """Connections to the SSH server that are made now pass through ``relay.py``."""
    port = host.port
    relay = _relay(host, {"listen": _PORT, "target": port, **options})
    with relay, rules(host, _REDIRECT % (port, _PORT)):
        yield


@contextmanager
def _relay(host: Host, options: dict[str, float | str]) -> Iterator[None]:
    command = [sys.executable, "-I", str(RELAY), json.dumps(options)]
    process = programs.start([*host.machine.enter("--net"), *command])
    with process:
        try:
            assert process.stdout is not None
            select.select([process.stdout], [], [], DEADLINE_S)
            if process.poll() is not None:
                raise ProgramError(f"the relay did not start: {process.communicate()[1]}")
            yield
        finally:
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGKILL)
