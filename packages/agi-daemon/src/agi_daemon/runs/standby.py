"""An attach that is up before it is needed: it loads while the app names its partitions."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Coroutine, Sequence
from typing import Any, Protocol

from agi_daemon.log import get_log
from agi_daemon.transport.host_transport import Channel
from agi_env.errors import AgiError
from agi_env.module_command import module_command

_log = get_log(__name__)


class Place(Protocol):
    """A host on which commands are started, as every ``HostTransport`` is one."""

    @property
    def host(self) -> str:
        """Its name."""
        ...

    def open_channel(self, argv: Sequence[str]) -> Coroutine[Any, Any, Channel]:
        """Start a command and talk to it."""
        ...


ATTACH_MODULE = "agi_env.runtime.attach"


class Standby:
    """At most one attach that waits for its arguments.

    It only saves time: where it cannot be had, or waits on another host by now, there is none.
    """

    def __init__(self) -> None:
        self._waiting: asyncio.Task[Channel] | None = None
        self._place = ("", "")

    def prepare(self, transport: Place, python: str) -> None:
        """Start one on a host, with this interpreter; nothing happens if one waits already."""
        if self._waiting is None:
            self._place = (transport.host, python)
            command = module_command(python, ATTACH_MODULE, "--standby")
            self._waiting = asyncio.create_task(
                transport.open_channel(command), name=f"standby on {transport.host}"
            )

    async def channel(self, transport: Place, python: str, arguments: Sequence[str]) -> Channel:
        """An attach with these arguments: the one that waits, or a new one.

        Raises:
            AgiError: It cannot be started there.
        """
        if self._place == (transport.host, python) and (channel := await self._taken()):
            await channel.send(json.dumps({"arguments": list(arguments)}).encode() + b"\n")
            return channel
        return await transport.open_channel(module_command(python, ATTACH_MODULE, *arguments))

    async def close(self) -> None:
        """End the one that waits; one that cannot be reached any more ends by itself."""
        if channel := await self._taken():
            try:
                await channel.close()
            except AgiError as error:
                _log.info("a standby is left alone", host=self._place[0], reason=error.what)

    async def _taken(self) -> Channel | None:
        waiting, self._waiting = self._waiting, None
        try:
            return None if waiting is None else await waiting
        except AgiError:  # whoever needs one tries again, and is told
            return None
