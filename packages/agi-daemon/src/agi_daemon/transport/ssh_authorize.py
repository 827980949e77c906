"""Letting the daemon's own key in: a key is made once, and installed after one password login."""

from __future__ import annotations

from pathlib import Path

from agi_daemon.transport.host_key import HostKey
from agi_daemon.transport.login import Login
from agi_daemon.transport.ssh_settings import SshSettings


def own_key(path: Path) -> str:
    """The public line of the daemon's own key, which is made at ``path`` (0600) at first.

    Raises:
        StateUnwritableError: It cannot be written.
        DiskFullError: There is no room.
    """
    raise NotImplementedError


async def authorize(
    login: Login, pinned: HostKey, password: str, public_line: str, ssh: SshSettings
) -> None:
    """Append a public key to the login's ``authorized_keys``, after one login with its password.

    A key that is there already is not added again.

    Raises:
        HostLoginError: The password is refused.
        HostError: The host cannot be reached, or is another one than was accepted.
    """
    raise NotImplementedError
