"""Where everything is: the state directory and what lies in it, the shares, the apps.

Functions here compute; only `private_directory` touches the disk. ``environ`` is the environment
to look into and defaults to this process's own.
"""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Mapping
from pathlib import Path

from platformdirs import user_state_path

from agi_env.atomic_file import disk_errors
from agi_env.errors import SocketPathTooLongError, StateUnwritableError

SOCKET_PATH_LIMIT = 107
"""Bytes that Linux takes as the path of a unix socket, its closing zero not counted."""


def state_dir(environ: Mapping[str, str] = os.environ) -> Path:
    """``$AGI_STATE_DIR``, by default the user's state directory of ``agi``."""
    return _from_variable("AGI_STATE_DIR", environ) or user_state_path("agi")


def run_dir(state: Path) -> Path:
    """The directory of the daemon's socket; owning it is the permission to use the daemon."""
    return state / "run"


def socket_path(state: Path) -> Path:
    """The daemon's unix socket.

    Raises:
        SocketPathTooLongError: The system would not take so long a path.
    """
    path = run_dir(state) / "daemon.sock"
    length = len(os.fsencode(path))
    if length > SOCKET_PATH_LIMIT:
        raise SocketPathTooLongError(f"the socket path has {length} characters", where=str(path))
    return path


def daemon_lock_path(state: Path) -> Path:
    """The lock file that a living daemon holds."""
    return state / "daemon.lock"


def daemon_log_path(state: Path) -> Path:
    """What the daemon logs."""
    return state / "daemon.log"


def store_path(state: Path) -> Path:
    """The daemon's SQLite database."""
    return state / "store.sqlite3"


def backups_dir(state: Path) -> Path:
    """The copies of the daemon's database that it makes by itself."""
    return state / "backups"


def settings_path(state: Path, app: str) -> Path:
    """The user's own copy of an app's settings; ``app`` is its full name."""
    return state / "settings" / app / "app_settings.toml"


def lock_path(state: Path, app: str, role: str) -> Path:
    """The locked dependencies of an app's ``manager`` or ``worker`` side."""
    return state / "locks" / app / f"{role}.txt"


def wheels_dir(state: Path) -> Path:
    """The manager's wheels, each as ``<sha256>/<file name>.whl``."""
    return state / "wheels"


def host_root(state: Path) -> Path:
    """The root of this machine as a host: its wheels, builds and runs."""
    return state / "host"


def local_share(environ: Mapping[str, str] = os.environ) -> Path:
    """``$AGI_LOCAL_SHARE``, by default ``~/agi_share``: where local runs read and write."""
    return _from_variable("AGI_LOCAL_SHARE", environ) or Path.home() / "agi_share"


def cluster_share(environ: Mapping[str, str] = os.environ) -> Path | None:
    """``$AGI_CLUSTER_SHARE``, mounted at the same place on every host; None when it is not set."""
    return _from_variable("AGI_CLUSTER_SHARE", environ)


def apps_path(environ: Mapping[str, str] = os.environ) -> tuple[Path, ...]:
    """The folders that ``$APPS_PATH`` names, in the order in which they are searched."""
    parts = environ.get("APPS_PATH", "").split(os.pathsep)
    return tuple(absolute(part) for part in parts if part.strip())


def absolute(path: str | os.PathLike[str]) -> Path:
    """The path with ``~`` and ``..`` resolved and symbolic links left as they are."""
    # Path.absolute() keeps "..", Path.resolve() follows links; a person recognises neither.
    text = os.fspath(path)
    home = Path(text).expanduser() if text.startswith("~") else text
    return Path(os.path.abspath(home))  # noqa: PTH100


def private_directory(path: Path) -> Path:
    """Make a directory that only this user can enter, with any parents it lacks, and return it.

    One that is there already and open to others is closed to them.

    Raises:
        StateUnwritableError: It cannot be made or written, or belongs to another user.
        DiskFullError: There is no room for it.
    """
    with disk_errors(path):
        for missing in reversed([p for p in (path, *path.parents) if not p.exists()]):
            missing.mkdir(mode=0o700, exist_ok=True)
        _claim(path)
    return path


def _claim(path: Path) -> None:
    status = path.stat()
    if not stat.S_ISDIR(status.st_mode):
        raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR))
    if status.st_uid != os.geteuid():
        owner = f"the directory belongs to user {status.st_uid}"
        raise StateUnwritableError(owner, where=str(path))
    if stat.S_IMODE(status.st_mode) != 0o700:
        path.chmod(0o700)
    if not os.access(path, os.W_OK | os.X_OK):
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))


def _from_variable(name: str, environ: Mapping[str, str]) -> Path | None:
    value = environ.get(name, "").strip()
    return absolute(value) if value else None
