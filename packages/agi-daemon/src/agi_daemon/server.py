"""The gRPC server of the daemon: its socket, its limits, how it starts and how it ends."""

from __future__ import annotations

import os
import socket
from pathlib import Path
from types import TracebackType
from typing import Self
from urllib.parse import quote

import grpc

from agi_daemon.compose import Services
from agi_daemon.interceptors.calls import CallLog
from agi_daemon.interceptors.errors import ErrorTranslation
from agi_daemon.interceptors.steps import StepTokens
from agi_daemon.interceptors.streams import OpenStreams
from agi_daemon.log import get_log
from agi_daemon.servicers.registration import register
from agi_daemon.settings import DaemonSettings
from agi_env import paths
from agi_env.errors import AddressInvalidError, DaemonAlreadyRunningError, DaemonStartError

_log = get_log(__name__)


class Server:
    """Serves between ``async with`` and its end. The instance lock has to be held.

    Args:
        settings: The socket and the limits.
        services: What answers.
    """

    def __init__(self, settings: DaemonSettings, services: Services) -> None:
        self._settings = settings
        self._streams = OpenStreams()
        self._server = grpc.aio.server(
            interceptors=(CallLog(), ErrorTranslation(), StepTokens(), self._streams),
            options=_options(settings),
        )
        self.health = register(self._server, services)

    async def __aenter__(self) -> Self:
        """Bind the socket and start.

        Raises:
            AddressInvalidError: The socket's directory is open to other users.
            StateUnwritableError: The socket's directory cannot be made or written.
            DaemonStartError: The socket cannot be bound.
        """
        _make_room(self._settings)
        _bind(self._server, self._settings.socket)
        await self._server.start()
        _log.info("serving", address=self._settings.address, pid=os.getpid())
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Refuse new calls, end the streams, let other calls finish within the grace."""
        _log.info("stopping", grace=self._settings.stop_grace)
        self.health.stop()
        self._streams.close()
        await self._server.stop(self._settings.stop_grace)
        self._settings.socket.unlink(missing_ok=True)
        _log.info("stopped")


def grpc_address(path: Path) -> str:
    """The socket as gRPC takes it: a URI, in which ``%``, ``?`` and ``#`` have to be quoted."""
    return f"unix:{quote(str(path))}"


def _options(settings: DaemonSettings) -> list[tuple[str, int]]:
    return [
        ("grpc.max_receive_message_length", settings.message_bytes),
        ("grpc.max_send_message_length", settings.message_bytes),
        # A client that was stopped or cut off (ssh forwards the socket) is noticed in 80 s, and
        # one that asks as often as every 10 s whether the daemon lives is no attacker.
        ("grpc.keepalive_time_ms", 60_000),
        ("grpc.keepalive_timeout_ms", 20_000),
        ("grpc.http2.min_ping_interval_without_data_ms", 10_000),
        ("grpc.keepalive_permit_without_calls", 1),
        ("grpc.so_reuseport", 0),
    ]


def _make_room(settings: DaemonSettings) -> None:
    """A private directory, and no socket in it that a dead daemon left: the lock says it is."""
    directory, path = settings.socket.parent, settings.socket
    if settings.owns_socket_directory or not directory.exists():
        paths.private_directory(directory)
    elif directory.stat().st_uid != os.geteuid() or directory.stat().st_mode & 0o077:
        raise AddressInvalidError(
            "others may enter the directory of the socket, and so use the daemon",
            where=str(directory),
            remedy=f"chmod 700 {directory}, or choose a directory that is private",
        )
    if path.exists() and not path.is_socket():
        raise DaemonStartError("this is no socket", where=str(path), remedy="Move it away")
    if _is_served(path):
        raise DaemonAlreadyRunningError(
            "the daemon of another state directory serves this socket",
            where=str(path),
            remedy="Choose another address",
        )
    path.unlink(missing_ok=True)


def _is_served(path: Path) -> bool:
    """Somebody listens there; a socket that a dead process left refuses at once."""
    with socket.socket(socket.AF_UNIX) as probe:
        probe.settimeout(1)
        return probe.connect_ex(str(path)) == 0


def _bind(server: grpc.aio.Server, path: Path) -> None:
    # gRPC makes the socket 0755 less the umask; the private directory guards it, this as well.
    before = os.umask(0o177)
    try:
        server.add_insecure_port(grpc_address(path))
    except RuntimeError as error:
        raise DaemonStartError(f"it cannot be bound ({error})", where=str(path)) from error
    finally:
        os.umask(before)
