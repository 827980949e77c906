"""The ways to hosts: what they show, how to act on them, how to be let in."""

from __future__ import annotations

import asyncio
from pathlib import PurePosixPath
from typing import Protocol

from agi_daemon.transport.host_key import HostKey
from agi_daemon.transport.host_transport import HostTransport
from agi_daemon.transport.login import Login
from agi_daemon.transport.ssh import SshTransport
from agi_daemon.transport.ssh_authorize import authorize, own_key
from agi_daemon.transport.ssh_offer import offered_key
from agi_daemon.transport.ssh_settings import SshSettings
from agi_env.errors import InternalError


class Reach(Protocol):
    """How machines other than this one are reached."""

    async def offered_key(self, login: Login) -> HostKey:
        """The key that a host shows now; nobody logs in.

        Raises:
            HostUnresolvedError: Its name leads nowhere.
            HostUnreachableError: Nobody answers there.
        """
        ...

    def transport(
        self, login: Login, pinned: HostKey, *, root: PurePosixPath, python: str, uv: str
    ) -> HostTransport:
        """The way to act on a host that shows this key; it connects when it is first used."""
        ...

    async def authorize(self, login: Login, pinned: HostKey, password: str) -> None:
        """Install the daemon's own key after one login by password.

        Raises:
            HostLoginError: The password is refused.
            HostError: The host cannot be reached, or shows another key.
        """
        ...


class SshReach:
    """Hosts that are reached over SSH."""

    def __init__(self, ssh: SshSettings) -> None:
        """Args: ssh: What each connection is held to."""
        self._ssh = ssh

    async def offered_key(self, login: Login) -> HostKey:
        """The key that a host shows now; see `Reach`."""
        return await offered_key(login, self._ssh, deadline_s=self._ssh.connect_s)

    def transport(
        self, login: Login, pinned: HostKey, *, root: PurePosixPath, python: str, uv: str
    ) -> HostTransport:
        """The way to act on a host; see `Reach`."""
        return SshTransport(login, pinned, root=root, python=python, uv=uv, ssh=self._ssh)

    async def authorize(self, login: Login, pinned: HostKey, password: str) -> None:
        """Install the daemon's own key; see `Reach`."""
        if self._ssh.own_key is None:
            raise InternalError("the daemon has no place for a key", where=login.address)
        line = await asyncio.to_thread(own_key, self._ssh.own_key)
        await authorize(login, pinned, password, line, self._ssh)
