"""The number of a cluster: its addresses, its names, and the lock that its living owner holds."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

BASE = Path("/var/tmp/agi-test-hosts")
"""Where clusters keep their hosts' disks; no host sees it."""
NUMBERS = range(1, 250)
_FIRST_HOST = 10


@dataclass(frozen=True, slots=True)
class Subnet:
    """The network ``10.213.<number>.0/24`` and ``fd00:213:<number>::/64``.

    Attributes:
        number: Which one; every name of the cluster derives from it.
    """

    number: int

    @property
    def folder(self) -> Path:
        """Where everything of the cluster is."""
        return BASE / str(self.number)

    @property
    def bridge(self) -> str:
        """The name of the bridge on this machine."""
        return f"agih{self.number}"

    def port(self, host: int) -> str:
        """The name of this machine's end of a host's cable; hosts count from 1."""
        return f"{self.bridge}-{host}"

    def address(self, host: int) -> str:
        """A host's address; 0 is the manager."""
        return f"10.213.{self.number}.{_FIRST_HOST + host if host else 1}"

    def address6(self, host: int) -> str:
        """A host's address in IPv6; 0 is the manager."""
        return f"fd00:213:{self.number}::{_FIRST_HOST + host if host else 1}"

    def hardware(self, host: int) -> str:
        """A host's hardware address, which it keeps when it is powered on again."""
        return f"02:0a:d5:{self.number:02x}:00:{host:02x}"


@contextmanager
def claimed(number: int) -> Iterator[Subnet | None]:
    """A cluster's number, for as long as this lasts; None where a living process has it."""
    locks = BASE / "locks"
    locks.mkdir(parents=True, exist_ok=True)
    handle = os.open(locks / str(number), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        yield Subnet(number) if _locked(handle) else None
    finally:
        os.close(handle)


@contextmanager
def claimed_any() -> Iterator[Subnet]:
    """The lowest number that nobody living has.

    Raises:
        RuntimeError: Every number is taken.
    """
    for number in NUMBERS:
        with claimed(number) as subnet:
            if subnet is not None:
                yield subnet
                return
    raise RuntimeError("every number of a test cluster is taken")


def _locked(handle: int) -> bool:
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
