"""asyncssh, loaded when the first host is reached: 0.2 s and 20 MB that a local daemon saves."""

from __future__ import annotations

import asyncio
from importlib import import_module

_NEEDED = ("agi_daemon.transport.ssh_dial", "agi_daemon.transport.ssh_channel")


async def load_asyncssh() -> None:
    """Load it and what of ours is built on it, beside the event loop."""
    for name in _NEEDED:
        await asyncio.to_thread(import_module, name)
