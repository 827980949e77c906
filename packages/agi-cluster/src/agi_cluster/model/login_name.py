"""``user@host:port``: how a person names a login on a host."""

from __future__ import annotations

import re
from ipaddress import IPv6Address
from typing import Self

from attrs import frozen

from agi_env.errors import RequestInvalidError
from agi_env.scheduler_address import is_host

_PARTS = re.compile(r"(?:(?P<user>[^@]*)@)?(?P<rest>.*)", re.DOTALL)
_BRACKETED = re.compile(r"\[(?P<host>[^\[\]]*)\](?::(?P<port>.*))?", re.DOTALL)
_WITH_PORT = re.compile(r"(?P<host>[^:]*):(?P<port>[^:]*)", re.DOTALL)
_USER = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.+-]*\$?")
_LONGEST_HOST = 253
_FORM = "Give [USER@]HOST[:PORT]; an IPv6 address with a port stands in brackets, [::1]:2222"


@frozen(kw_only=True)
class LoginName:
    """Who logs in where; what is empty or 0 is as ``ssh_config`` says.

    Attributes:
        user: The name of the login.
        host: A name or an address, without brackets; an IPv6 address in its one short spelling.
        port: The SSH port.
    """

    host: str
    user: str = ""
    port: int = 0

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read ``host``, ``user@host``, ``host:port``, an IPv6 address, or one in brackets.

        Raises:
            RequestInvalidError: It is none of these.
        """
        parts = _PARTS.fullmatch(text)
        assert parts is not None
        rest = parts["rest"]
        match = _BRACKETED.fullmatch(rest) or _WITH_PORT.fullmatch(rest)
        host, port = (match["host"], match["port"]) if match else (rest, None)
        if _BRACKETED.fullmatch(rest) and ":" not in host:
            raise _refused(f"{host!r} stands in brackets and is no IPv6 address")
        user = "" if parts["user"] is None else checked_user(parts["user"])
        return cls(
            user=user, host=checked_host(host), port=0 if port is None else checked_port(port)
        )

    def __str__(self) -> str:
        user = f"{self.user}@" if self.user else ""
        if not self.port:
            return f"{user}{self.host}"
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{user}{host}:{self.port}"


def checked_host(text: str) -> str:
    """A name or address; an IPv6 address in its one short spelling.

    Raises:
        RequestInvalidError: It is none.
    """
    if not is_host(text) or len(text) > _LONGEST_HOST:
        raise _refused(f"{text!r} is no name or address of a host")
    if ":" in text and canonical(text) is None:
        raise _refused(f"{text!r} is no IPv6 address")
    return canonical(text) or text


def checked_user(text: str) -> str:
    """The name of a login.

    Raises:
        RequestInvalidError: It can be none.
    """
    if not _USER.fullmatch(text):
        raise _refused(f"{text!r} is no name of a login")
    return text


def checked_port(text: str) -> int:
    """A port from 1 to 65535.

    Raises:
        RequestInvalidError: It is none.
    """
    if not (text.isascii() and text.isdigit() and len(text) <= 5 and 1 <= int(text) <= 65535):
        raise _refused(f"{text!r} is no port from 1 to 65535")
    return int(text)


def canonical(text: str) -> str | None:
    """The one spelling of an IPv6 address; None where it is none."""
    try:
        return str(IPv6Address(text))
    except ValueError:
        return None


def _refused(what: str) -> RequestInvalidError:
    return RequestInvalidError(what, where="HOST", remedy=_FORM)
