"""The faults of whole hosts: links, SSH, disks, power. Each lasts for a while and is undone."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable
from dataclasses import dataclass
from typing import ClassVar

from harness.faults import Fault
from harness.scene import Scene
from hosts.faults import login, network, storage
from hosts.host import Fault as Breakage


@dataclass(frozen=True, slots=True)
class Break:
    """A fault that one host has for a while."""

    name: str
    drawn: Callable[[random.Random], Breakage]
    shortest_s: float
    longest_s: float

    async def strike(self, scene: Scene, luck: random.Random) -> bool:
        """Break a host, and mend it."""
        host = scene.healthy_host(luck)
        if host is None:
            return False
        async with scene.broken(self.name, host):
            fault = await asyncio.to_thread(host.fault, self.drawn(luck))
            try:
                await asyncio.sleep(luck.uniform(self.shortest_s, self.longest_s))
            finally:
                await asyncio.to_thread(fault.undo)
        return True


class CutConnections:
    """The connections of one host's SSH server end; it takes others at once."""

    name: ClassVar[str] = "cut-connections"

    async def strike(self, scene: Scene, luck: random.Random) -> bool:
        """Cut them."""
        host = scene.healthy_host(luck)
        if host is None:
            return False
        async with scene.broken(self.name, host):
            await asyncio.to_thread(host.sshd.cut)
        return True


@dataclass(frozen=True, slots=True)
class PowerOff:
    """A host loses its power, and has it again a while later."""

    silently: bool
    longest_s: float = 8.0

    @property
    def name(self) -> str:
        """``power-off``, or ``power-off-silently`` where nobody is told."""
        return "power-off-silently" if self.silently else "power-off"

    async def strike(self, scene: Scene, luck: random.Random) -> bool:
        """Switch one off and on."""
        host = scene.healthy_host(luck)
        if host is None:
            return False
        async with scene.broken(self.name, host):
            await asyncio.to_thread(host.power_off, silently=self.silently)
            try:
                await asyncio.sleep(luck.uniform(0.0, self.longest_s))
            finally:
                await asyncio.to_thread(host.power_on)
        return True


class FillShare:
    """Nothing more can be stored on the share for a while."""

    name: ClassVar[str] = "fill-share"
    longest_s: ClassVar[float] = 3.0

    async def strike(self, scene: Scene, luck: random.Random) -> bool:
        """Fill it, and make room."""
        async with scene.afflicted(self.name):
            with storage.filled(scene.machines.share):
                await asyncio.sleep(luck.uniform(0.1, self.longest_s))
        return True


def _dropped(luck: random.Random) -> Breakage:
    incoming, outgoing = luck.choice(((True, True), (True, False), (False, True)))
    return network.packets_dropped(incoming=incoming, outgoing=outgoing)


def _sshd_stopped(luck: random.Random) -> Breakage:
    return login.sshd_stopped(connections=luck.random() < 0.5)


HOSTS: dict[Fault, int] = {
    Break("cut-link-shortly", lambda _: network.link_down, 0.1, 1.5): 3,
    Break("cut-link", lambda _: network.link_down, 3.0, 8.0): 3,
    Break("drop-packets", _dropped, 0.3, 6.0): 3,
    Break("stop-sshd", _sshd_stopped, 0.3, 6.0): 3,
    CutConnections(): 3,
    Break("freeze-host", lambda _: login.frozen, 0.3, 6.0): 2,
    PowerOff(silently=False): 3,
    PowerOff(silently=True): 3,
}
"""The faults of whole hosts, and how likely each is. A lease of a round lasts two seconds."""

DISKS: dict[Fault, int] = {
    Break("fill-host", lambda _: storage.home_full, 0.3, 4.0): 2,
    FillShare(): 2,
}
"""Those of disks, which have to be small."""
