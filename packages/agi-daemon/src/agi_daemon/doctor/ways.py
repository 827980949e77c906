"""How the doctor gets to hosts: what it needs of them, and no more."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Protocol, runtime_checkable

from attrs import evolve

from agi_cluster.model.diagnosis import Rung
from agi_cluster.model.selection import THIS_MACHINE
from agi_daemon.doctor.catalogue import rung_of
from agi_daemon.doctor.once import Answer, Once
from agi_daemon.hosts import host_life
from agi_daemon.hosts.hosts import Hosts
from agi_daemon.hosts.reach import Reach
from agi_daemon.hosts.ways import Ways as Made
from agi_daemon.transport.host_transport import HostTransport
from agi_daemon.transport.ssh_settings import SshSettings
from agi_env.errors import AgiError

CONNECT_S = 2.5
"""Seconds for a connection, from the name to the end of the login."""

SHELL_S = 2.0
"""Seconds until a login shell starts a command."""

_ORDER = list(Rung)


class Ways(Protocol):
    """The hosts, as far as the doctor has to do with them."""

    async def addresses(self) -> tuple[str, ...]:
        """All hosts that are known."""
        ...

    async def knock(self, address: str) -> str:
        """Have a host show its key, without a login, and say in words what it showed.

        Raises:
            HostNotFoundError: It was never enrolled.
            HostError: Its name leads nowhere, nobody answers, or the key is not the accepted one.
        """
        ...

    def transport(self, address: str) -> HostTransport:
        """The way that installs and runs take.

        Raises:
            AgiError: There is none; the code says why.
        """
        ...

    def fresh(self, address: str) -> HostTransport:
        """A connection of its own, that whoever asks for it closes.

        Raises:
            AgiError: There is none; the code says why.
        """
        ...


@runtime_checkable
class Noisy(Protocol):
    """A way through a login shell, which may print what nobody asked for."""

    @property
    def noise(self) -> bytes:
        """What it printed before the last command."""
        ...


class KnownHosts:
    """The ways to the hosts that the daemon knows.

    Args:
        hosts: The hosts.
        reach: How those that are enrolled are reached, with less patience than work has.
    """

    def __init__(self, hosts: Hosts, reach: Reach) -> None:
        self._hosts = hosts
        self._reach = reach

    async def addresses(self) -> tuple[str, ...]:
        """All hosts that are known, this machine first."""
        found: list[str] = []
        token = ""
        while True:
            page = await self._hosts.list_hosts(page_size=1000, page_token=token)
            found += [host.address for host in page.items]
            token = page.next_page_token
            if not token:
                return tuple(sorted(found, key=lambda address: address != THIS_MACHINE))

    async def knock(self, address: str) -> str:
        """Have a host show its key; see `Ways`."""
        record = self._hosts.record(address)
        offered, pinned = await self._reach.offered_key(record.login), record.pinned_key
        if pinned is None:
            raise host_life.untrusted(record)
        if offered != pinned:
            raise host_life.changed(host_life.shown(record, offered, datetime.now(UTC)))
        return offered.fingerprint

    def transport(self, address: str) -> HostTransport:
        """The way that installs and runs take."""
        return self._hosts.transport(address)

    def fresh(self, address: str) -> HostTransport:
        """A connection of its own; see `Ways`."""
        here = self._hosts.transport(THIS_MACHINE)
        return Made(here, self._reach).to(self._hosts.record(address))


def impatient(ssh: SshSettings) -> SshSettings:
    """The same connections, for somebody who has to be done within seconds."""
    return evolve(ssh, connect_s=CONNECT_S, shell_s=SHELL_S)


async def up_to(rung: Rung, ask: Once[Answer]) -> Answer | None:
    """An answer on which rungs of the way to a host are judged.

    Returns:
        The answer, or None where what failed is higher up than this rung.

    Raises:
        AgiError: What failed on this rung, or below.
    """
    try:
        return await ask()
    except AgiError as error:
        if _ORDER.index(rung_of(error)) <= _ORDER.index(rung):
            raise
        return None
