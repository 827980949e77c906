"""One test host: where it is, how to log in, how to break it and to make it whole again."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

from hosts import disk, programs, sshd
from hosts.broken import Broken
from hosts.machine import Machine
from hosts.network import Network
from hosts.programs import DEADLINE_S
from hosts.sshd import Sshd
from hosts.subnet import Subnet

Fault: TypeAlias = "Callable[[Host], Iterator[None]]"
"""Breaks a host up to its only ``yield``, and mends it after."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where a host of a cluster is.

    Attributes:
        subnet: The cluster's network.
        number: Which of its hosts; from 1.
        shares: What is mounted on it from this machine, at the same paths.
        uv: The program uv that it has.
        home: How large a disk of its own root's home is on; empty: it is on that of all.
    """

    subnet: Subnet
    number: int
    shares: tuple[Path, ...]
    uv: Path
    home: str = ""

    @property
    def name(self) -> str:
        """The host's name, which only hosts know."""
        return f"host{self.number}"

    @property
    def folder(self) -> Path:
        """Where its disk and its logs are on this machine."""
        return self.subnet.folder / self.name


class Host:
    """A host of a cluster.

    Attributes:
        place: Where it is.
        machine: Its namespaces.
        sshd: Its SSH server.
        network: The network that it is plugged into.
        identity: The private key of who may log in as root.
    """

    home = "/root"
    port = sshd.PORT
    user = "root"

    def __init__(self, place: Place, network: Network, identity: Path) -> None:
        self.place = place
        self.network = network
        self.identity = identity
        self.machine = Machine(place.folder)
        self.sshd = Sshd(self.machine, self.disk, self.address)
        self._broken: list[Broken] = []

    @property
    def boot(self) -> int:
        """Which boot this is; 0 while it is off. What was mounted in one is gone in the next."""
        return self.machine.boot

    @property
    def name(self) -> str:
        """Its name, which only the hosts know."""
        return self.place.name

    @property
    def address(self) -> str:
        """Its IPv4 address."""
        return self.place.subnet.address(self.place.number)

    @property
    def address6(self) -> str:
        """Its IPv6 address."""
        return self.place.subnet.address6(self.place.number)

    @property
    def disk(self) -> Path:
        """Its disk as this machine sees it: ``disk / "root"`` is its ``/root``."""
        return self.place.folder / "disk"

    @property
    def public_key(self) -> str:
        """The host key that its server shows: algorithm and base64."""
        return sshd.public(self.sshd.key)

    @property
    def host_key(self) -> str:
        """The fingerprint of its host key, ``SHA256:...``."""
        return sshd.fingerprint(self.public_key)

    @property
    def share(self) -> Path:
        """The shared directory, here and there."""
        return self.place.shares[0]

    def install(self, names: Mapping[str, str]) -> None:
        """Lay out its disk: a system, two accounts, a host key, one authorised key.

        Args:
            names: What it calls the addresses of its network.
        """
        disk.lay_out(self.disk, self.name, names, self.place.home)
        self.sshd.install()
        self._authorize()
        spec = {
            "name": self.name,
            "disk": str(self.disk),
            "root": str(self.place.folder / "root"),
            "uv": str(self.place.uv),
            "shares": [str(share) for share in self.place.shares],
            "sshd": list(sshd.COMMAND),
        }
        (self.place.folder / "spec.json").write_text(json.dumps(spec))

    def power_on(self) -> None:
        """Boot it; it answers when this returns. Its disk is as it was, its boot id is new."""
        if self.machine.on:
            return
        self.network.unplug(self.place.number)
        self.machine.switch_on()
        self.machine.await_boot()
        self.network.plug({self.place.number: self.machine})
        self.sshd.await_answer()

    def power_off(self, *, silently: bool = False) -> None:
        """Kill its PID 1, and with it everything on it.

        Args:
            silently: Nobody is told: without it the kernel still closes open connections.
        """
        if silently and self.machine.on:
            self.network.set_link(self.place.number, "down")
        self.machine.switch_off()
        self.network.unplug(self.place.number)

    def wipe(self) -> None:
        """Power it off and on with homes as empty as after `install`."""
        self.power_off()
        disk.homes(self.disk)
        self._authorize()
        self.power_on()

    def run(
        self,
        *argv: str,
        text: str | None = None,
        timeout_s: float = DEADLINE_S,
        check: bool = True,
    ) -> subprocess.CompletedProcess[str]:
        """Run a command on it as root, without SSH.

        Raises:
            ProgramError: It failed, and ``check``.
            subprocess.TimeoutExpired: It did not end in ``timeout_s`` seconds.
        """
        return self.machine.run(*argv, text=text, timeout_s=timeout_s, check=check)

    def ssh(
        self, *argv: str, timeout_s: float = DEADLINE_S, check: bool = True
    ) -> subprocess.CompletedProcess[str]:
        """Run a command on it through the system's ssh, which knows its host key."""
        config = self.place.subnet.folder / "ssh_config"
        words = ("ssh", "-F", str(config), self.name, *argv)
        return programs.run(*words, timeout_s=timeout_s, check=check)

    def fault(self, fault: Fault) -> Broken:
        """Break it; what is returned undoes that, as does `heal`.

        A host that could be broken in part only is powered off, so that nothing of it stays.
        """
        try:
            broken = Broken(contextmanager(fault)(self), self._undo)
        except BaseException:
            self.power_off()
            raise
        self._broken.append(broken)
        return broken

    def heal(self) -> None:
        """Undo every fault, the latest first, and have it on and answering."""
        self.power_on()
        while self._broken:
            self._broken[-1].undo()
        self.sshd.await_answer()

    def _undo(self, broken: Broken) -> None:
        if broken in self._broken:
            self._broken.remove(broken)
            broken.mend()

    def _authorize(self) -> None:
        sshd.authorize(self.disk / "root", sshd.public(self.identity))
