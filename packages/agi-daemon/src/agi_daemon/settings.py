"""What a daemon is told when it starts: where its state is, what it serves, its limits."""

from __future__ import annotations

import math
import os
from collections.abc import Mapping
from pathlib import Path

from attrs import evolve, field, frozen

from agi_daemon.install.host_agent import IDLE_S
from agi_daemon.runs.cluster_settings import ClusterSettings
from agi_daemon.store.store import PATIENCE_S
from agi_daemon.transport.ssh_settings import SshSettings
from agi_daemon.upkeep.upkeep_settings import UpkeepSettings
from agi_env import paths
from agi_env.errors import AddressInvalidError, InvalidInputError, SocketPathTooLongError

LOG_LEVELS = ("debug", "info", "warning", "error")
"""How much the daemon's log may hold, from everything to errors only."""

_SCHEME = "unix:"
_MIB = 1024 * 1024


@frozen(kw_only=True)
class DaemonSettings:
    """The settings of one daemon; seconds and bytes throughout."""

    state: Path
    """The absolute path of the state directory."""
    socket: Path
    """The absolute path of the unix socket it serves."""
    log_level: str = "info"
    log_bytes: int = 8 * _MIB
    """The most that one file of the log holds; there is one older file beside it."""
    message_bytes: int = 64 * _MIB
    """The largest request or answer."""
    stop_grace: float = 5.0
    """How long calls in flight have when the daemon stops."""
    watchdog: float = 60.0
    """How long the event loop may be stuck before the daemon ends itself; 0: for ever."""
    store_wait: float = PATIENCE_S
    """How long a write waits for another program that has the store locked, until it is refused."""
    upkeep: UpkeepSettings = field(factory=UpkeepSettings)
    """What the daemon does by itself from time to time."""
    cluster: ClusterSettings = ClusterSettings()
    """How runs in cluster modes meet."""
    install_idle: float = IDLE_S
    """For how long a step of a build may do nothing, until it is ended with all its processes."""
    ssh: SshSettings = field(factory=SshSettings)
    """How hosts are connected to."""

    @property
    def address(self) -> str:
        """What clients connect to, such as ``unix:/home/me/.local/state/agi/run/daemon.sock``."""
        return f"{_SCHEME}{self.socket}"

    @property
    def log_path(self) -> Path:
        """The daemon's log."""
        return paths.daemon_log_path(self.state)

    @property
    def lock_path(self) -> Path:
        """The file that a living daemon holds locked."""
        return paths.daemon_lock_path(self.state)

    @property
    def store_path(self) -> Path:
        """The daemon's database."""
        return paths.store_path(self.state)

    @property
    def keys_path(self) -> Path:
        """The directory of the keys of runs in cluster modes."""
        return self.state / "keys"

    @property
    def owns_socket_directory(self) -> bool:
        """The socket is in the state directory's own place, which the daemon may make private."""
        return self.socket.parent == paths.run_dir(self.state)

    @classmethod
    def read(
        cls, state: str = "", address: str = "", environ: Mapping[str, str] = os.environ
    ) -> DaemonSettings:
        """Settings from the command line, then the environment, then the defaults.

        Args:
            state: The state directory; empty: as `agi_env.paths.state_dir` says.
            address: ``unix:PATH``; empty: the socket in the state directory.
            environ: Looked into for ``AGI_DAEMON_LOG_LEVEL``, ``AGI_DAEMON_LOG_BYTES``,
                ``AGI_DAEMON_MESSAGE_BYTES``, ``AGI_DAEMON_STOP_GRACE``, ``AGI_DAEMON_WATCHDOG``
                and ``AGI_DAEMON_STORE_WAIT``, for ``AGI_INSTALL_IDLE`` and ``AGI_SSH_CONFIG``, and
                for the variables of ``ClusterSettings`` and ``UpkeepSettings``.

        Raises:
            AddressInvalidError: The address is none of a unix socket.
            SocketPathTooLongError: The system would not take the socket's path.
            InvalidInputError: A variable has a value that cannot be used.
        """
        directory = paths.absolute(state) if state else paths.state_dir(environ)
        defaults = cls(
            state=directory,
            socket=_socket_of(address) if address else paths.socket_path(directory),
        )
        return evolve(
            defaults,
            log_level=_level("AGI_DAEMON_LOG_LEVEL", environ, defaults.log_level),
            log_bytes=int(_number("AGI_DAEMON_LOG_BYTES", environ, defaults.log_bytes)),
            message_bytes=int(_number("AGI_DAEMON_MESSAGE_BYTES", environ, defaults.message_bytes)),
            stop_grace=_number("AGI_DAEMON_STOP_GRACE", environ, defaults.stop_grace),
            watchdog=_number("AGI_DAEMON_WATCHDOG", environ, defaults.watchdog),
            store_wait=_number("AGI_DAEMON_STORE_WAIT", environ, defaults.store_wait),
            upkeep=UpkeepSettings.read(environ),
            install_idle=_number("AGI_INSTALL_IDLE", environ, defaults.install_idle) or IDLE_S,
            cluster=ClusterSettings.read(environ),
            ssh=_ssh(directory, environ),
        )


def _ssh(state: Path, environ: Mapping[str, str]) -> SshSettings:
    own_key = state / "ssh" / "id_ed25519"
    config = environ.get("AGI_SSH_CONFIG", "").strip()
    if config:
        return SshSettings(own_key=own_key, config=paths.absolute(config))
    return SshSettings(own_key=own_key)


def _socket_of(address: str) -> Path:
    text = address.removeprefix(_SCHEME)
    text = text.removeprefix("//") if text.startswith("///") else text
    if text == address or not text.startswith("/"):
        raise AddressInvalidError(
            f"{address!r} is no address to serve", remedy="Give unix:/path/to/daemon.sock"
        )
    length = len(os.fsencode(text))
    if length > paths.SOCKET_PATH_LIMIT:
        raise SocketPathTooLongError(f"the socket path has {length} characters", where=text)
    return paths.absolute(text)


def _level(name: str, environ: Mapping[str, str], default: str) -> str:
    level = environ.get(name, "").strip().lower() or default
    if level not in LOG_LEVELS:
        raise InvalidInputError(
            f"{level!r} is no log level", where=name, remedy=f"Give one of {', '.join(LOG_LEVELS)}"
        )
    return level


def _number(name: str, environ: Mapping[str, str], default: float) -> float:
    text = environ.get(name, "").strip()
    try:
        value = float(text) if text else default
    except ValueError:
        value = math.nan
    if not 0 <= value < math.inf:
        raise InvalidInputError(
            f"{text!r} is no number of 0 or more",
            where=name,
            remedy="Correct or unset it",
        )
    return value
