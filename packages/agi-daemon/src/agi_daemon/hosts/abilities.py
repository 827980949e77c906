"""What the hosts can do beyond plain Python, asked of each when it matters."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Mapping, Sequence

from agi_daemon.install.host_abilities import HostAbilities
from agi_daemon.install.host_agent import HostAgent
from agi_daemon.transport.host_transport import HostTransport

FRESH_S = 15.0
"""How long an answer is taken for the present: GPUs come and go with drivers, not by the second."""


class Abilities:
    """The abilities of hosts, asked at most once in a while.

    Args:
        transports: The way to a host.
        clock: Seconds that never go back.
    """

    def __init__(
        self,
        transports: Callable[[str], HostTransport],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._transports = transports
        self._clock = clock
        self._known: dict[str, tuple[float, HostAbilities]] = {}

    async def of(self, hosts: Sequence[str]) -> Mapping[str, HostAbilities]:
        """The abilities of these hosts.

        Raises:
            AgiError: One of them cannot be asked; the code says why.
        """
        async with asyncio.TaskGroup() as group:
            asked = {host: group.create_task(self.one(host)) for host in hosts}
        return {host: task.result() for host, task in asked.items()}

    async def one(self, host: str) -> HostAbilities:
        """The abilities of one host.

        Raises:
            AgiError: It cannot be asked.
        """
        at, known = self._known.get(host, (0.0, None))
        if known is None or self._clock() > at + FRESH_S:
            known = await HostAgent(self._transports(host)).probe()
            self._known[host] = self._clock(), known
        return known
