"""One daemon from its first moment to its last."""

from __future__ import annotations

import asyncio
import gc
import signal
from contextlib import AbstractAsyncContextManager, nullcontext

from agi_daemon.compose import Compose, Services
from agi_daemon.pulse import Pulse
from agi_daemon.server import Server
from agi_daemon.settings import DaemonSettings
from agi_daemon.watchdog import Watchdog


async def serve(settings: DaemonSettings, compose: Compose) -> None:
    """Serve until SIGTERM, SIGINT or StopDaemon. The instance lock has to be held.

    Args:
        settings: What the daemon was told.
        compose: Makes the services.

    Raises:
        AgiError: It could not start.
    """
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    watchdog = Watchdog(settings.watchdog, settings.log_path)
    async with (
        compose(settings, stop) as services,
        watchdog.watching(),
        Server(settings, services) as server,
        _pulse(settings, services, server),
    ):
        # What is loaded by now stays: keep the collector from walking it again and again.
        gc.freeze()
        await stop.wait()


def _pulse(
    settings: DaemonSettings, services: Services, server: Server
) -> AbstractAsyncContextManager[None]:
    store = services.store
    if store is None:
        return nullcontext()
    return Pulse(
        store.probe,
        lambda well: server.health.set(serving=well),
        every=settings.upkeep.probe_every,
        doubt=store.doubt,
    ).beating()
