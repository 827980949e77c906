"""The subset of ``~/.ssh/config`` that is honoured, read with asyncssh's own parser.

``HostName``, ``User``, ``Port``, ``IdentityFile``, ``IdentitiesOnly``, ``IdentityAgent`` and
``ProxyJump`` count, and for jump hosts ``UserKnownHostsFile``; ``Host``, ``Match`` and ``Include``
choose among them. Everything else is the daemon's own affair: ciphers and deadlines, which host key
is accepted, that nothing is forwarded and nobody is asked. ``/etc/ssh/ssh_config`` is not read.
"""

from __future__ import annotations

import getpass
import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from asyncssh.config import SSHClientConfig
from asyncssh.misc import IllegalUserName
from attrs import evolve, frozen

from agi_daemon.transport.login import Login
from agi_daemon.transport.ssh_settings import SshSettings
from agi_env.errors import InvalidInputError

_JUMP = re.compile(
    r"(ssh://)?((?P<user>[^@/]+)@)?(\[(?P<v6>[^]]+)\]|(?P<host>[^:/]+))(:(?P<port>[0-9]+))?/?"
)
_MOST_JUMPS = 8


@frozen(kw_only=True)
class Route:
    """The way to a host, with nothing left open.

    Attributes:
        name: What the host was called when the way was looked for.
        host: Where to connect to: a name or an address.
        port: Its port.
        user: Who logs in.
        identity_files: The private keys that were named, to be offered in this order.
        identities_only: No other key is offered.
        agent: The socket of the agent; empty for none.
        known_hosts: Where the user's known hosts are, for jump hosts.
        jumps: The hosts to go through, the first one first.
        ignored: Settings that matter to the way and are not honoured.
    """

    name: str
    host: str
    port: int
    user: str
    identity_files: tuple[Path, ...] = ()
    identities_only: bool = False
    agent: str = ""
    known_hosts: tuple[Path, ...] = ()
    jumps: tuple[Route, ...] = ()
    ignored: tuple[str, ...] = ()

    @property
    def place(self) -> str:
        """Where it leads, for messages."""
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


def route_of(login: Login, ssh: SshSettings, environ: Mapping[str, str] = os.environ) -> Route:
    """The way that the login and the user's configuration describe; reads files.

    Raises:
        InvalidInputError: The configuration cannot be understood.
    """
    return _route(login, ssh, environ, _MOST_JUMPS)


def _route(login: Login, ssh: SshSettings, environ: Mapping[str, str], jumps_left: int) -> Route:
    options = _options(login, ssh)
    named = [login.identity_file] if login.identity_file else []
    proxy = str(options.get("ProxyJump") or "")
    route = Route(
        name=login.address,
        host=str(options.get("Hostname") or login.address),
        port=int(options.get("Port") or 22),
        user=str(options.get("User") or getpass.getuser()),
        identity_files=_paths([*named, *(options.get("IdentityFile") or [])]),
        identities_only=bool(options.get("IdentitiesOnly")),
        agent=_agent(options.get("IdentityAgent", "SSH_AUTH_SOCK"), environ),
        known_hosts=_paths(options.get("UserKnownHostsFile") or [str(ssh.known_hosts)]),
        ignored=("ProxyCommand",) if options.get("ProxyCommand") and not proxy else (),
    )
    return evolve(route, jumps=_jumps(proxy, ssh, environ, jumps_left))


def _options(login: Login, ssh: SshSettings) -> dict[str, Any]:
    path = ssh.config.expanduser()
    given = (getpass.getuser(), login.user or (), login.address, login.port or ())
    try:
        config = SSHClientConfig.load(
            None, [path] if path.is_file() else [], False, False, False, *given
        )
    except (ValueError, OSError, IllegalUserName) as error:
        raise InvalidInputError(
            f"it cannot be understood: {error}", where=str(path), remedy="Mend this file"
        ) from error
    return dict(config.get_options(False))


def _jumps(
    proxy: str, ssh: SshSettings, environ: Mapping[str, str], jumps_left: int
) -> tuple[Route, ...]:
    """The routes of ``ProxyJump``; as with ``ssh``, only the first may have jumps of its own."""
    if not proxy:
        return ()
    if not jumps_left:
        raise InvalidInputError(
            f"ProxyJump leads over more than {_MOST_JUMPS} hosts", where=str(ssh.config)
        )
    first, *later = [_route(_jump(hop, ssh), ssh, environ, jumps_left - 1)
                     for hop in proxy.split(",")]  # fmt: skip
    return (*first.jumps, evolve(first, jumps=()), *[evolve(hop, jumps=()) for hop in later])


def _jump(text: str, ssh: SshSettings) -> Login:
    parts = _JUMP.fullmatch(text.strip())
    if parts is None:
        raise InvalidInputError(f"ProxyJump {text!r} names no host", where=str(ssh.config))
    return Login(
        address=parts["v6"] or parts["host"],
        user=parts["user"] or "",
        port=int(parts["port"] or 0),
    )


def _agent(setting: str | None, environ: Mapping[str, str]) -> str:
    if setting is None:  # "none"
        return ""
    if setting == "SSH_AUTH_SOCK":
        return environ.get("SSH_AUTH_SOCK", "")
    named = environ.get(setting[1:], "") if setting.startswith("$") else setting
    return str(Path(named).expanduser()) if named else ""


def _paths(texts: list[str]) -> tuple[Path, ...]:
    return tuple(Path(text).expanduser() for text in dict.fromkeys(texts))
