"""The hosts and the ways to reach them. This machine is one of them, behind the same protocol."""

from __future__ import annotations

import os
import platform
import sys
from collections.abc import Callable
from datetime import UTC, datetime

from attrs import evolve

from agi_cluster.model.host import Host
from agi_cluster.model.page import Page
from agi_cluster.model.selection import THIS_MACHINE
from agi_daemon.store import pages
from agi_daemon.transport.host_transport import HostTransport
from agi_env.errors import HostNotFoundError


class Hosts:
    """Implements ``agi_cluster.model.services.HostService``."""

    def __init__(self, this_machine: HostTransport) -> None:
        """Make the registry.

        Args:
            this_machine: How to act on the manager itself.
        """
        self._transports = {THIS_MACHINE: this_machine}
        self._hosts = {THIS_MACHINE: _this_machine()}
        self.leased: Callable[[str], int] = lambda _: 0
        """How many cores of a host runs hold now; set by whoever leases them."""

    async def list_hosts(self, *, page_size: int = 0, page_token: str = "") -> Page[Host]:
        """A page of hosts by address."""
        limit = pages.page_limit(page_size)
        last = pages.position_of(page_token, "hosts")
        later = sorted(address for address in self._hosts if address > last)
        shown = [await self.get_host(address) for address in later[:limit]]
        token = pages.page_token(shown[-1].address, "hosts") if later[limit:] else ""
        return Page(items=shown, next_page_token=token)

    async def get_host(self, name: str) -> Host:
        """One host, by resource name or address."""
        host = self._known(name.removeprefix("hosts/"))
        return evolve(host, leased_cores=self.leased(host.address))

    def transport(self, address: str) -> HostTransport:
        """The way to act on a host.

        Raises:
            HostNotFoundError: It was never enrolled.
        """
        return self._transports[self._known(address).address]

    def cores(self, address: str) -> int:
        """The cores of a host.

        Raises:
            HostNotFoundError: It was never enrolled.
        """
        return self._known(address).cores

    async def aclose(self) -> None:
        """Let go of all connections."""
        for transport in self._transports.values():
            await transport.aclose()

    def _known(self, address: str) -> Host:
        if address not in self._hosts:
            raise HostNotFoundError(f"there is no host {address!r}", metadata={"host": address})
        return self._hosts[address]


def _this_machine() -> Host:
    return Host(
        address=THIS_MACHINE,
        cores=len(os.sched_getaffinity(0)),
        memory_bytes=os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"),
        python_version=platform.python_version(),
        platform=f"{sys.platform}-{platform.machine()}",
        check_time=datetime.now(UTC),
    )
