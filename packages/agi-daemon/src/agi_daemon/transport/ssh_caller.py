"""Our side of one connection: it offers keys in turn and remembers how things went."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Sequence
from contextlib import suppress

import asyncssh
from attrs import define, field

from agi_daemon.transport.host_key import HostKey
from agi_daemon.transport.ssh_keys import Keyring

_CLOSE_S = 2.0

asyncssh.set_log_level(logging.WARNING)  # at INFO it writes down every command


class Caller(asyncssh.SSHClient):
    """What asyncssh asks and tells about one connection.

    Attributes:
        tried: The names of the keys that were offered.
        shown: The host key that was refused.
        is_open: The connection stands.
        lost: Why it does not, where we did not end it.
        on_lost: Called when it ends.
    """

    def __init__(self, ring: Keyring) -> None:
        self._offers = list(ring.offers)
        self.tried: list[str] = []
        self.shown: HostKey | None = None
        self.is_open = True
        self.lost: Exception | None = None
        self.on_lost: Callable[[], None] = lambda: None

    def validate_host_public_key(
        self, host: str, addr: str, port: int, key: asyncssh.SSHKey
    ) -> bool:
        """Asked only about a key that is not an accepted one: never."""
        self.shown = host_key_of(key)
        return False

    def public_key_auth_requested(self) -> asyncssh.SSHKeyPair | None:
        """The next key to try."""
        if not self._offers:
            return None
        offer = self._offers.pop(0)
        self.tried.append(offer.name)
        return offer.pair

    def connection_lost(self, exc: Exception | None) -> None:
        """It has ended."""
        self.lost = exc
        self.is_open = False
        self.on_lost()


@define
class Line:
    """An open connection to a host, and those that it goes through.

    Attributes:
        connection: The one to the host.
        caller: Our side of it.
        tunnels: The connections to the jump hosts, the first one first.
    """

    connection: asyncssh.SSHClientConnection
    caller: Caller
    tunnels: Sequence[asyncssh.SSHClientConnection] = field(factory=tuple)

    async def close(self) -> None:
        """End it all, the innermost first."""
        await hang_up([*self.tunnels, self.connection])


async def hang_up(connections: Sequence[asyncssh.SSHClientConnection]) -> None:
    """End connections, the last first, with a little patience for each."""
    for connection in reversed(connections):
        connection.close()
        with suppress(TimeoutError):
            async with asyncio.timeout(_CLOSE_S):
                await connection.wait_closed()
        connection.abort()


def host_key_of(key: asyncssh.SSHKey) -> HostKey:
    """The key as a value of ours."""
    return HostKey.from_line(key.export_public_key("openssh").decode())
