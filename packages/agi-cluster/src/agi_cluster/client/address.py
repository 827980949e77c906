"""Where the daemon serves: what ``AGI_ADDRESS`` says, or the state directory's own socket."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import quote

from attrs import frozen

from agi_cluster.client.ssh_address import SshAddress
from agi_env import paths
from agi_env.errors import AddressInvalidError, SocketPathTooLongError

if TYPE_CHECKING:
    from agi_env.environment import AgiEnv

_FORMS = "Give unix:/absolute/path/of/daemon.sock or ssh://USER@MANAGER, or unset AGI_ADDRESS"


@frozen(kw_only=True)
class Address:
    """A unix socket of a daemon on this machine."""

    socket: Path
    state: Path | None = None
    """The state directory whose daemon a client may start; None: never start one."""

    @classmethod
    def here(cls, environ: Mapping[str, str] = os.environ) -> Address | SshAddress:
        """``$AGI_ADDRESS``, by default the socket of this user's own state directory.

        Raises:
            AddressInvalidError: ``AGI_ADDRESS`` is not an address.
            SocketPathTooLongError: The socket's path is longer than the system takes.
        """
        text = environ.get("AGI_ADDRESS", "").strip()
        return cls.parse(text, environ) if text else cls.of_state(paths.state_dir(environ))

    @classmethod
    def of_state(cls, state: Path) -> Address:
        """The socket in a state directory, for which a client may start the daemon."""
        return cls(socket=paths.socket_path(state), state=state)

    @classmethod
    def parse(cls, text: str, environ: Mapping[str, str] = os.environ) -> Address | SshAddress:
        """The address that ``unix:/run/agi/daemon.sock`` or ``ssh://ann@manager`` means.

        Raises:
            AddressInvalidError: It is none, or of a kind that is not supported.
            SocketPathTooLongError: The path is longer than the system takes.
        """
        scheme, colon, rest = text.partition(":")
        if scheme == "ssh":
            return SshAddress.parse(text, environ)
        path = Path(rest.removeprefix("//"))
        if scheme != "unix" or not colon or not path.is_absolute():
            raise AddressInvalidError(
                "this is no address of a daemon", where=f"AGI_ADDRESS={text}", remedy=_FORMS
            )
        length = len(os.fsencode(path))
        if length > paths.SOCKET_PATH_LIMIT:
            raise SocketPathTooLongError(
                f"the path has {length} characters",
                where=text,
                remedy=f"Use a path of at most {paths.SOCKET_PATH_LIMIT}",
            )
        return cls(socket=path)

    def reference(self, app_env: AgiEnv) -> str:
        """What to send for an app to the daemon here: its absolute path, else its name.

        Raises:
            AppInvalidError: The folder is not an app.
            AppNotFoundError: A path was given and nothing is there.
        """
        return app_env.reference

    @property
    def target(self) -> str:
        """The address in gRPC's own terms, a URI."""
        return grpc_target(self.socket)

    def __str__(self) -> str:
        return f"unix:{self.socket}"


def grpc_target(socket: Path) -> str:
    """A socket in gRPC's own terms, a URI."""
    return f"unix:{quote(os.fsencode(socket))}"
