"""Whether what is started on a host detached is still there after the login has ended."""

from __future__ import annotations

import asyncio

from agi_daemon.doctor.catalogue import finding
from agi_daemon.doctor.ladder import Seen
from agi_daemon.doctor.on_host import SLEEPER
from agi_daemon.transport.host_transport import HostTransport

LIFE_S = 30.0
"""How long the sleeper lives if nobody ends it."""

GRACE_S = 1.0
"""How long a host has to kill what a login left, which logind does at once."""

_DEADLINE_S = 2.0


async def detach_seen(leaving: HostTransport, staying: HostTransport) -> Seen:
    """Start a sleeper over one connection, close that, and look over another.

    Args:
        leaving: A connection of its own, which is closed.
        staying: Another to the same host.

    Raises:
        AgiError: The host cannot be asked.
    """
    try:
        started = await SLEEPER.ask(leaving, {"seconds": LIFE_S}, deadline_s=_DEADLINE_S)
    finally:
        await leaving.aclose()
    await asyncio.sleep(GRACE_S)
    found = await SLEEPER.ask(staying, started, deadline_s=_DEADLINE_S)
    if found["alive"]:
        return Seen(f"process {started['pid']} outlived its login")
    what = f"process {started['pid']}, started detached, was killed when its login ended"
    return Seen(what, (finding("DETACHED_KILLED", staying.host, what),))
