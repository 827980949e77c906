"""Making one connection: the way is looked up, each host on it proves itself, a key opens it."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, TypeVar

import asyncssh

from agi_daemon.transport.host_key import HostKey
from agi_daemon.transport.login import Login
from agi_daemon.transport.ssh_caller import Caller, Line, hang_up, host_key_of
from agi_daemon.transport.ssh_config import Route, route_of
from agi_daemon.transport.ssh_failure import SshFailure
from agi_daemon.transport.ssh_keys import Keyring, keyring
from agi_daemon.transport.ssh_settings import SshSettings
from agi_env.errors import AgiError

_CIPHERS = [
    "aes128-gcm@openssh.com", "aes256-gcm@openssh.com", "chacha20-poly1305@openssh.com",
    "aes128-ctr", "aes256-ctr",
]  # fmt: skip
"""The fast ones first: with AES-GCM one call of OpenSSL does a whole packet."""

_KEY_TYPES = [
    "ssh-ed25519", "ecdsa-sha2-nistp256", "ecdsa-sha2-nistp384", "ecdsa-sha2-nistp521",
    "rsa-sha2-512", "rsa-sha2-256",
]  # fmt: skip

_OURS: dict[str, Any] = {
    "config": None,  # what counts of it is in the route
    "gss_host": None,
    "agent_path": None,
    "client_keys": None,  # the caller offers them
    "x509_trusted_certs": None,
    "encryption_algs": _CIPHERS,
    "compression_algs": ["none"],
}
_ONE_OF_SEVERAL_S = 3.0
"""How long an address may take while there are others to try."""

_CUT_SHORT = (asyncssh.ConnectionLost, asyncssh.KeyExchangeFailed, ConnectionResetError)
"""How a server ends that has no algorithm in common with us, and others do as well."""

_Connection = asyncssh.SSHClientConnection
_T = TypeVar("_T")


class Dialling:
    """One attempt to reach a host.

    Args:
        login: How it is reached.
        ssh: The deadlines, and where the files are.
    """

    def __init__(self, login: Login, ssh: SshSettings) -> None:
        self._login = login
        self._ssh = ssh
        self._failure = SshFailure(login.address, ssh)

    async def log_in(self, pinned: HostKey, password: str = "") -> Line:
        """Connect and log in, with keys or, where one is given, with nothing but a password.

        Raises:
            HostError: It cannot be; the code says why.
            InvalidInputError: The user's configuration cannot be understood.
        """
        known: Any = ([asyncssh.import_public_key(pinned.to_line())], [], [])

        async def enter(route: Route, via: _Connection | None) -> Line:
            refused = _Refusal(lambda shown: self._failure.changed_key(pinned, shown))
            try:
                return await self._enter(route, via, known, refused, password)
            except _CUT_SHORT:
                shown = await self._other_key(route, via, pinned)
                if shown is None:
                    raise
                raise self._failure.changed_key(pinned, shown) from None

        line, tunnels = await self._along(enter)
        return Line(line.connection, line.caller, tunnels)

    async def look(self) -> HostKey:
        """The key that the host shows; nobody logs in to it.

        Raises:
            HostError: It cannot be reached; the code says why.
            InvalidInputError: The user's configuration cannot be understood.
        """
        key, tunnels = await self._along(self._glance)
        await hang_up(tunnels)
        return key

    async def _along(
        self, act: Callable[[Route, _Connection | None], Awaitable[_T]]
    ) -> tuple[_T, Sequence[_Connection]]:
        """Go through the jump hosts and act on the host itself, all within one deadline."""
        at = route = await asyncio.to_thread(route_of, self._login, self._ssh)
        tunnels: list[_Connection] = []
        try:
            async with asyncio.timeout(self._ssh.connect_s):
                for at in route.jumps:
                    tunnels.append(await self._through(at, _last(tunnels)))
                at = route
                return await act(route, _last(tunnels)), tunnels
        except BaseException as error:
            await hang_up(tunnels)
            if isinstance(error, (OSError, asyncssh.Error)):
                raise self._failure.of_way(at, error) from error
            raise

    async def _through(self, hop: Route, via: _Connection | None) -> _Connection:
        """A connection to a jump host, whose key is among the user's known hosts."""
        files = [str(path) for path in hop.known_hosts if path.is_file()]
        known = await asyncio.to_thread(asyncssh.read_known_hosts, files)
        refused = _Refusal(lambda shown: self._failure.unknown_jump(hop, shown))
        return (await self._enter(hop, via, known, refused)).connection

    async def _other_key(
        self, route: Route, via: _Connection | None, pinned: HostKey
    ) -> HostKey | None:
        """The host's key, where it has none any more of the accepted one's type.

        A server that has none in common with us may end the connection before it says so.
        """
        try:
            shown = await self._glance(route, via)
        except _CUT_SHORT:
            return None
        if shown.algorithm == pinned.algorithm:
            return None if shown == pinned else shown
        kind = asyncssh.import_public_key(pinned.to_line()).sig_algorithms
        try:
            await self._glance(route, via, [name.decode() for name in kind])
        except _CUT_SHORT:
            return shown
        return None

    async def _glance(
        self, route: Route, via: _Connection | None, key_types: Sequence[str] = _KEY_TYPES
    ) -> HostKey:
        way = await _way(route, via)
        shown = await asyncssh.get_server_host_key(
            **way, config=None, server_host_key_algs=key_types
        )
        if shown is None:
            raise asyncssh.KeyExchangeFailed("it shows no key")
        return host_key_of(shown)

    async def _enter(
        self,
        route: Route,
        via: _Connection | None,
        known: Any,
        refused: _Refusal,
        password: str = "",
    ) -> Line:
        async with keyring(route, self._ssh) as every_key:
            ring = Keyring() if password else every_key
            caller = Caller(ring)
            try:
                return Line(await self._connected(route, via, known, caller, password), caller)
            except asyncssh.HostKeyNotVerifiable as error:
                raise refused.because(caller.shown) from error
            except asyncssh.PermissionDenied as error:
                raise self._failure.login(route, ring, caller.tried, bool(password)) from error
            except asyncssh.DisconnectError as error:
                if isinstance(error, asyncssh.ConnectionLost) or not caller.tried:
                    raise
                raise self._failure.login(route, ring, caller.tried, False, error.reason) from error

    async def _connected(
        self, route: Route, via: _Connection | None, known: Any, caller: Caller, password: str
    ) -> _Connection:
        way = await _way(route, via)
        connection, _ = await asyncssh.create_connection(
            lambda: caller,
            **way,
            **_OURS,
            username=route.user,
            password=password or None,
            preferred_auth="password,keyboard-interactive" if password else "publickey",
            known_hosts=known,
            keepalive_interval=self._ssh.keepalive_s,
            keepalive_count_max=self._ssh.keepalive_count,
        )
        return connection


class _Refusal:
    """What it means that a host's key is not an accepted one."""

    def __init__(self, error: Callable[[HostKey], AgiError]) -> None:
        self._error = error

    def because(self, shown: HostKey | None) -> Exception:
        return self._error(shown) if shown else asyncssh.KeyExchangeFailed("its key is unreadable")


async def _way(route: Route, via: _Connection | None) -> dict[str, Any]:
    """Where asyncssh is to connect to: through another connection, or a socket that is open."""
    if via is not None:
        return {"host": route.host, "port": route.port, "tunnel": via}
    return {"host": route.host, "port": route.port, "sock": await _socket(route)}


async def _socket(route: Route) -> socket.socket:
    """A socket connected to the first of the host's addresses that answers.

    Raises:
        OSError: None does.
    """
    loop = asyncio.get_running_loop()
    try:
        found = await loop.getaddrinfo(route.host, route.port, type=socket.SOCK_STREAM)
    except UnicodeError as error:  # a part of the name is empty or too long
        raise socket.gaierror(socket.EAI_NONAME, "it is no name of a host") from error
    failure: OSError | None = None
    for at, (family, kind, protocol, _, address) in enumerate(found, 1):
        sock = socket.socket(family, kind, protocol)
        sock.setblocking(False)
        try:
            async with asyncio.timeout(_ONE_OF_SEVERAL_S if at < len(found) else None):
                await loop.sock_connect(sock, address)
        except BaseException as error:
            sock.close()
            if not isinstance(error, OSError):
                raise
            failure = error
        else:
            return sock
    raise failure or OSError("its name leads to no address")


def _last(tunnels: list[_Connection]) -> _Connection | None:
    return tunnels[-1] if tunnels else None
