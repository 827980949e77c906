"""What every connection over SSH is held to: its deadlines, the user's files, the daemon's key."""

from __future__ import annotations

from pathlib import Path

from attrs import frozen


@frozen(kw_only=True)
class SshSettings:
    """How hosts are connected to; seconds throughout.

    Attributes:
        config: The user's ``ssh_config``; it need not be there.
        known_hosts: The user's known hosts, which jump hosts are held to.
        own_key: The daemon's own private key, offered once it is there; None for none.
        connect_s: How long a connection may take, from the name to the end of the login.
        shell_s: How long a login shell may take until it starts a command.
        keepalive_s: How often a silent host is asked whether it is there.
        keepalive_count: How many such questions may go unanswered; at the next the connection is
            given up, so a link that is cut silently is known after 15 s.
        idle_s: After how long without a command a connection is closed.
        sessions: How many commands share a connection. Of the 10 that sshd allows (MaxSessions)
            one is left for killing; a server that allows fewer is found out.
        links: How many connections to one host there may be at once.
        room_s: How long a command may wait for another to end, where all of them are full.
    """

    config: Path = Path("~/.ssh/config")
    known_hosts: Path = Path("~/.ssh/known_hosts")
    own_key: Path | None = None
    connect_s: float = 10.0
    shell_s: float = 10.0
    keepalive_s: float = 5.0
    keepalive_count: int = 2
    idle_s: float = 1800.0
    sessions: int = 9
    links: int = 16
    room_s: float = 30.0
