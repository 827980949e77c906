"""Where the daemon serves: what ``AGI_ADDRESS`` says, or the state directory's own socket."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from urllib.parse import quote

from attrs import frozen

from agi_env import paths
from agi_env.errors import AddressInvalidError, SocketPathTooLongError

_SUPPORTED = "Give unix:/absolute/path/of/daemon.sock, or unset AGI_ADDRESS to use your own daemon"


@frozen(kw_only=True)
class Address:
    """A unix socket of a daemon."""

    socket: Path
    state: Path | None = None
    """The state directory whose daemon a client may start; None: never start one."""

    @classmethod
    def here(cls, environ: Mapping[str, str] = os.environ) -> Address:
        """``$AGI_ADDRESS``, by default the socket of this user's own state directory.

        Raises:
            AddressInvalidError: ``AGI_ADDRESS`` is not an address.
            SocketPathTooLongError: The socket's path is longer than the system takes.
        """
        text = environ.get("AGI_ADDRESS", "").strip()
        return cls.parse(text) if text else cls.of_state(paths.state_dir(environ))

    @classmethod
    def of_state(cls, state: Path) -> Address:
        """The socket in a state directory, for which a client may start the daemon."""
        return cls(socket=paths.socket_path(state), state=state)

    @classmethod
    def parse(cls, text: str) -> Address:
        """The address that a text such as ``unix:/run/agi/daemon.sock`` means.

        Raises:
            AddressInvalidError: It is none, or of a kind that is not supported.
            SocketPathTooLongError: The path is longer than the system takes.
        """
        scheme, colon, rest = text.partition(":")
        if scheme == "ssh":
            raise _refused("this version cannot connect through SSH", text)
        path = Path(rest.removeprefix("//"))
        if scheme != "unix" or not colon or not path.is_absolute():
            raise _refused("this is no address of a daemon", text)
        length = len(os.fsencode(path))
        if length > paths.SOCKET_PATH_LIMIT:
            raise SocketPathTooLongError(
                f"the path has {length} characters",
                where=text,
                remedy=f"Use a path of at most {paths.SOCKET_PATH_LIMIT}",
            )
        return cls(socket=path)

    @property
    def target(self) -> str:
        """The address in gRPC's own terms, a URI."""
        return f"unix:{quote(os.fsencode(self.socket))}"

    def __str__(self) -> str:
        return f"unix:{self.socket}"


def _refused(what: str, text: str) -> AddressInvalidError:
    return AddressInvalidError(what, where=f"AGI_ADDRESS={text}", remedy=_SUPPORTED)
