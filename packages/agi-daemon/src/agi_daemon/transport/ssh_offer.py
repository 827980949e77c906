"""What a host shows of itself before anybody logs in."""

from __future__ import annotations

from agi_daemon.transport.host_key import HostKey
from agi_daemon.transport.login import Login
from agi_daemon.transport.ssh_settings import SshSettings


async def offered_key(login: Login, ssh: SshSettings, *, deadline_s: float = 10.0) -> HostKey:
    """The key that a host shows now; nobody logs in and nothing is accepted.

    Raises:
        HostUnresolvedError: Its name leads nowhere.
        HostUnreachableError: No SSH server answers there.
    """
    raise NotImplementedError
