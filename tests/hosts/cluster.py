"""A cluster of test hosts: made in about a second, and gone without a trace."""

from __future__ import annotations

import os
import shutil
import signal
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import uv

from hosts import disk, machine, programs, sshd
from hosts.host import Host, Place
from hosts.network import Network
from hosts.subnet import BASE, Subnet, claimed, claimed_any

SSH_CONFIG = """\
Host {name}
    HostName {address}
Host {name}.6
    HostName {address6}
"""
SSH_CONFIG_OF_ALL = """\
Host *
    User root
    IdentityFile {folder}/identity
    IdentitiesOnly yes
    BatchMode yes
    UserKnownHostsFile {folder}/known_hosts
    GlobalKnownHostsFile none
    StrictHostKeyChecking yes
    # The default takes both sides ten times as long.
    KexAlgorithms curve25519-sha256
"""


@dataclass(frozen=True, slots=True)
class Cluster:
    """Hosts on one network, to be indexed and counted.

    Attributes:
        subnet: Their network, in which the manager has an address too.
        hosts: They.
        share: The directory that all of them and this machine have at the same path.
    """

    subnet: Subnet
    hosts: tuple[Host, ...]
    share: Path

    @property
    def manager(self) -> str:
        """The manager's address: where hosts reach what listens on this machine."""
        return self.subnet.address(0)

    @property
    def identity(self) -> Path:
        """The private key of who may log in as root on every host."""
        return self.subnet.folder / "identity"

    @property
    def ssh_config(self) -> Path:
        """A configuration with which ``ssh -F`` logs in on ``host1``, on ``host1.6`` by IPv6..."""
        return self.subnet.folder / "ssh_config"

    def __len__(self) -> int:
        return len(self.hosts)

    def __iter__(self) -> Iterator[Host]:
        return iter(self.hosts)

    def __getitem__(self, index: int) -> Host:
        return self.hosts[index]

    def heal(self) -> None:
        """Undo every fault of every host, and have all of them on and answering."""
        for host in self.hosts:
            host.heal()

    def introduce(self) -> None:
        """Have ``ssh -F`` know the hosts by the keys that they have now."""
        lines = [f"{host.address},{host.address6} {host.public_key}\n" for host in self.hosts]
        (self.subnet.folder / "known_hosts").write_text("".join(lines))
        blocks = [
            SSH_CONFIG.format(name=host.name, address=host.address, address6=host.address6)
            for host in self.hosts
        ]
        common = SSH_CONFIG_OF_ALL.format(folder=self.subnet.folder)
        self.ssh_config.write_text("".join([*blocks, common]))


@contextmanager
def cluster(
    count: int, *, share: Path | None = None, mounts: Sequence[Path] = (), home: str = ""
) -> Iterator[Cluster]:
    """Hosts that are on and answer, for as long as this lasts.

    Args:
        count: How many.
        share: The shared directory; by default an empty one of this cluster.
        mounts: Further directories that all hosts have at the same paths.
        home: How large a disk of its own root's home has on each host, as tmpfs reads it; empty:
            it has none.

    Raises:
        UnavailableError: This machine cannot have test hosts.
    """
    programs.require()
    sweep()
    with claimed_any() as subnet:
        clear(subnet)
        try:
            made = _made(subnet, count, share, tuple(mounts), home)
            with _started(made):
                yield made
        finally:
            clear(subnet)


def sweep() -> None:
    """Clear away what clusters left whose owners are dead."""
    for folder in BASE.glob("[0-9]*"):
        with claimed(int(folder.name)) as subnet:
            if subnet is not None:
                clear(subnet)


def clear(subnet: Subnet) -> None:
    """Leave nothing of a cluster: no process, no link, no mount and no file."""
    pids = machine.leftovers(subnet.folder)
    for pid in pids:
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    programs.eventually(lambda: not machine.leftovers(subnet.folder), "the hosts' processes end")
    Network(subnet).down()
    disk.unmount_below(subnet.folder)
    if subnet.folder.exists():
        shutil.rmtree(subnet.folder)


def _made(
    subnet: Subnet, count: int, share: Path | None, mounts: tuple[Path, ...], home: str
) -> Cluster:
    """The cluster, its hosts off, with an empty disk each."""
    subnet.folder.mkdir(parents=True)
    if share is None:
        share = subnet.folder / "share"
        share.mkdir()
        share.chmod(0o1777)
    network = Network(subnet)
    identity = sshd.make_key(subnet.folder / "identity")
    program = Path(uv.find_uv_bin()).resolve()
    shares = (share, *mounts)
    places = [Place(subnet, number, shares, program, home) for number in range(1, count + 1)]
    return Cluster(subnet, tuple(Host(place, network, identity) for place in places), share)


@contextmanager
def _started(made: Cluster) -> Iterator[None]:
    """Have the hosts on and answering, all at once; and off at the end."""
    Network(made.subnet).up()
    try:
        with ThreadPoolExecutor(len(made)) as pool:
            list(pool.map(partial(_boot, names=_names(made)), made.hosts))
            Network(made.subnet).plug({host.place.number: host.machine for host in made})
            made.introduce()
            list(pool.map(lambda host: host.sshd.await_answer(), made.hosts))
        yield
    finally:
        for host in made:
            host.machine.switch_off()


def _names(made: Cluster) -> dict[str, str]:
    """What hosts call the addresses of their network."""
    names = {made.manager: "manager", made.subnet.address6(0): "manager"}
    for host in made:
        names |= {host.address: host.name, host.address6: host.name}
    return names


def _boot(host: Host, names: Mapping[str, str]) -> None:
    host.install(names)
    host.machine.switch_on()
    host.machine.await_boot()
