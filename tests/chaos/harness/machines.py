"""The machines of a round: this one, and as many test hosts as it has."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from agi_cluster.client import AsyncClient
from agi_cluster.testing import RunningDaemon
from hosts.cluster import Cluster, cluster
from hosts.faults.storage import small_disk
from hosts.host import Host

SHARE_SIZE = "512m"
HOME_SIZE = "1g"
"""How large the disks are that a fault fills."""
HERE = "127.0.0.1"
_ROOT = Path("/root/.local/state/agi-host")


@dataclass(frozen=True, slots=True)
class Seen:
    """A machine, as its processes and its files are seen from here.

    Attributes:
        name: The test host's name; empty for this machine.
        runs: What the machine calls the directory of its runs.
        runs_here: Where that is, seen from here.
        first: The number here of a test host's PID 1.
        state: The state directory of the daemon on this machine.
    """

    name: str
    runs: Path
    runs_here: Path
    first: int = 0
    state: str = ""

    def owns(self, pid: int, words: Sequence[str], environment: Sequence[str]) -> bool:
        """Whether a process of the machine is there because of the daemon."""
        if self.name:
            return pid != self.first and not words[0].removeprefix("/usr/sbin/").startswith("sshd")
        return f"AGI_STATE_DIR={self.state}" in environment or self.state in " ".join(words)

    def run_dir(self, texts: Sequence[str]) -> Path | None:
        """The directory, seen from here, of the first run that any of these is or lies below."""
        for text in texts:
            path = Path(text)
            if path.is_relative_to(self.runs) and path != self.runs:
                return self.runs_here / path.relative_to(self.runs).parts[0]
        return None


class Machines:
    """This machine, whose daemon it is, and the hosts that it knows."""

    def __init__(self, daemon: RunningDaemon, hosts: Cluster | None) -> None:
        self._daemon = daemon
        self._cluster = hosts

    @property
    def hosts(self) -> tuple[Host, ...]:
        """The test hosts."""
        return self._cluster.hosts if self._cluster else ()

    @property
    def share(self) -> Path:
        """The share of all of them."""
        return Path(self._daemon.env["AGI_CLUSTER_SHARE"])

    @property
    def addresses(self) -> tuple[str, ...]:
        """What the daemon calls the hosts."""
        return tuple(host.address for host in self.hosts)

    async def enrol(self, client: AsyncClient) -> None:
        """Have the daemon know the hosts and trust their keys."""
        for host in self.hosts:
            await client.create_host(
                host.address,
                user=host.user,
                identity_file=str(host.identity),
                trust_fingerprint=host.host_key,
            )

    async def heal(self) -> None:
        """Have all hosts on and whole."""
        if self._cluster is not None:
            await asyncio.to_thread(self._cluster.heal)

    def runs_of(self, address: str) -> Path:
        """Where the directories of the runs of a machine are, seen from here."""
        for host in self.hosts:
            if host.address == address:
                return _runs_here(host)
        return self._daemon.state / "host" / "runs"

    def seen(self) -> dict[str, Seen]:
        """The machines that are on, by the names of their pid namespaces."""
        state = self._daemon.state
        runs = state / "host" / "runs"
        found = {_namespace(os.getpid()): Seen("", runs, runs, state=str(state))}
        for host in self.hosts:
            if (first := _first_process(host)) is not None:
                seen = Seen(host.name, _ROOT / host.name / "runs", _runs_here(host), first)
                found[_namespace(first)] = seen
        found.pop("", None)
        return found


@contextmanager
def hosts_on_small_disks(count: int, share: Path) -> Iterator[Cluster]:
    """Test hosts whose homes are on disks that can be filled, as is their share."""
    with small_disk(share, SHARE_SIZE), cluster(count, share=share, home=HOME_SIZE) as made:
        yield made


def _runs_here(host: Host) -> Path:
    return host.disk / _ROOT.relative_to("/") / host.name / "runs"


def _first_process(host: Host) -> int | None:
    try:
        return host.machine.pid
    except RuntimeError:  # it is off
        return None


def _namespace(pid: int) -> str:
    try:
        return str(Path(f"/proc/{pid}/ns/pid").readlink())
    except OSError:  # it was switched off meanwhile
        return ""
