"""What a host shows of itself before anybody logs in."""

from __future__ import annotations

from attrs import evolve

from agi_daemon.transport.host_key import HostKey
from agi_daemon.transport.login import Login
from agi_daemon.transport.ssh_library import load_asyncssh
from agi_daemon.transport.ssh_settings import SshSettings


async def offered_key(login: Login, ssh: SshSettings, *, deadline_s: float = 10.0) -> HostKey:
    """The key that a host shows now; nobody logs in and nothing is accepted.

    Args:
        login: How it is reached; only a jump host on the way is logged in to.
        ssh: Where the user's files are.
        deadline_s: How long it may take.

    Raises:
        HostUnresolvedError: Its name leads nowhere.
        HostUnreachableError: No SSH server answers there.
        HostError: A jump host is not known, or refuses the login.
        InvalidInputError: The user's ``ssh_config`` cannot be understood.
    """
    await load_asyncssh()
    from agi_daemon.transport.ssh_dial import Dialling  # noqa: PLC0415 - loads asyncssh

    return await Dialling(login, evolve(ssh, connect_s=deadline_s)).look()
