"""``ssh://user@manager``: a daemon on a machine that the system's ``ssh`` reaches."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from typing import TYPE_CHECKING
from urllib.parse import quote, unquote

from attrs import field, frozen

from agi_env.errors import AddressInvalidError

if TYPE_CHECKING:
    from agi_env.environment import AgiEnv

_ADDRESS = re.compile(
    r"ssh://((?P<user>[^@/]+)@)?(?P<host>\[[^]/]*\]|[^][@:/]*)(:(?P<port>[0-9]+))?(?P<socket>/.*)?",
    re.DOTALL,
)
"""Not ``urlsplit``, which takes the capitals of a name, and in ``ssh_config`` they count."""

_HOST = re.compile(r"[A-Za-z0-9_:][A-Za-z0-9_.:%-]*")
_USER = re.compile(r"([A-Za-z0-9_][A-Za-z0-9_.@+-]*)?")
_SOCKET = re.compile(r"/[A-Za-z0-9/._@+,= -]*")
"""``ssh`` gives a meaning of its own to colons, backslashes, percent and dollar signs."""

_FORM = "Give ssh://[USER@]MANAGER[:PORT][/PATH/OF/daemon.sock]"


@frozen(kw_only=True)
class SshAddress:
    """A daemon's socket on another machine; whoever may log in there as its user may use it.

    Host names, keys and known hosts are those of the user's ``ssh_config``. Where the variable
    ``AGI_SSH_CONFIG`` names a file, ``ssh`` reads that one instead, and no other.
    """

    host: str
    """A name of the user's ``ssh_config``, or a host."""
    user: str = ""
    """Empty: as ``ssh_config`` says."""
    port: int | None = None
    """None: as ``ssh_config`` says."""
    socket: str = ""
    """The path of the socket there; empty: that of the user's state directory there."""
    config: str = field(default="", eq=False)
    """The file that ``ssh`` is to read instead of the user's and the system's configuration."""
    state: None = field(default=None, init=False)
    """A client starts no daemon on another machine."""

    @classmethod
    def parse(cls, text: str, environ: Mapping[str, str] = os.environ) -> SshAddress:
        """The address that a text such as ``ssh://ann@manager`` means.

        Raises:
            AddressInvalidError: It is none.
        """
        parts = _ADDRESS.fullmatch(text)
        if parts is None:
            raise _refused("this is no address of a daemon", text)
        return cls(
            host=_checked(_HOST, parts["host"].strip("[]"), "no manager is named", text),
            user=_checked(_USER, unquote(parts["user"] or ""), "this is no user's name", text),
            port=_port(parts["port"], text),
            socket=checked_socket(unquote(parts["socket"] or "").rstrip("/"), text),
            config=environ.get("AGI_SSH_CONFIG", ""),
        )

    def reference(self, app_env: AgiEnv) -> str:
        """What to send for an app to a daemon elsewhere: its name; paths of here mean nothing."""
        return app_env.name

    @property
    def login(self) -> str:
        """What a person gives to ``ssh``: ``ann@manager``, with the port where one was named."""
        name = f"{self.user}@{self.host}" if self.user else self.host
        return f"-p {self.port} {name}" if self.port else name

    def __str__(self) -> str:
        user = f"{quote(self.user)}@" if self.user else ""
        host = f"[{self.host}]" if ":" in self.host else self.host
        port = f":{self.port}" if self.port else ""
        return f"ssh://{user}{host}{port}{quote(self.socket)}"


def checked_socket(path: str, where: str) -> str:
    """A path that ``ssh`` takes as it is; empty stays empty.

    Raises:
        AddressInvalidError: It has other characters.
    """
    if path and not _SOCKET.fullmatch(path):
        raise AddressInvalidError(
            f"ssh cannot forward the socket {path!r}",
            where=where,
            remedy="Use an absolute path of letters, digits, spaces and / . _ - @ + , =",
        )
    return path


def _checked(form: re.Pattern[str], value: str, otherwise: str, text: str) -> str:
    if not form.fullmatch(value):
        raise _refused(otherwise, text)
    return value


def _port(digits: str | None, text: str) -> int | None:
    if digits is None:
        return None
    if not 0 < int(digits) < 2**16:
        raise _refused(f"{digits} is no port", text)
    return int(digits)


def _refused(what: str, text: str) -> AddressInvalidError:
    return AddressInvalidError(what, where=f"AGI_ADDRESS={text}", remedy=_FORM)
