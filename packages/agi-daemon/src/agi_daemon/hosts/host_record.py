"""What the daemon keeps of a host: what everybody sees of it, and its keys."""

from __future__ import annotations

import hashlib
import json

from attrs import frozen

from agi_cluster.model.host import Host
from agi_cluster.model.selection import THIS_MACHINE
from agi_daemon.transport.host_key import HostKey
from agi_daemon.transport.login import Login


@frozen(kw_only=True)
class HostRecord:
    """A host with its keys, each as a line of OpenSSH; empty for none."""

    host: Host
    offered: str = ""
    """The key that it showed last."""
    pinned: str = ""
    """The key that was accepted."""

    @property
    def address(self) -> str:
        """What worker maps call the host."""
        return self.host.address

    @property
    def always_there(self) -> bool:
        """It is this machine, which needs no enrolment."""
        return self.address == THIS_MACHINE

    @property
    def login(self) -> Login:
        """How it is reached."""
        host = self.host
        return Login(
            address=host.address,
            user=host.user,
            port=host.port,
            identity_file=host.identity_file,
        )

    @property
    def pinned_key(self) -> HostKey | None:
        """The key that was accepted."""
        return HostKey.from_line(self.pinned) if self.pinned else None

    @property
    def offered_key(self) -> HostKey | None:
        """The key that it showed last."""
        return HostKey.from_line(self.offered) if self.offered else None

    @property
    def etag(self) -> str:
        """Changes with what people decide about the host, not with what it says of itself."""
        host = self.host
        decided = [host.user, host.port, host.identity_file, self.pinned, host.drained]
        return hashlib.sha256(json.dumps(decided).encode()).hexdigest()[:16]
