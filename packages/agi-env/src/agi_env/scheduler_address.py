"""Where the scheduler of a run listens, as the settings write it."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Self

_HOST = re.compile(r"[A-Za-z0-9:][A-Za-z0-9._:%-]*")
_WITH_PORT = re.compile(r"(?P<host>[^:]+):(?P<port>[^:]*)")
_BRACKETED = re.compile(r"\[(?P<host>[^\]]+)\](?::(?P<port>.*))?")


@dataclass(frozen=True, slots=True)
class SchedulerAddress:
    """A host, and a port when one was chosen."""

    host: str
    port: int | None = None

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read ``host``, ``host:port``, an IPv6 address, or one in brackets with a port.

        Raises:
            ValueError: It is none of these; the message says what is wrong.
        """
        match = _BRACKETED.fullmatch(text) or _WITH_PORT.fullmatch(text)
        host, port = (match["host"], match["port"]) if match else (text, None)
        if not is_host(host):
            raise ValueError(f"{host!r} is no host")
        return cls(host, None if port is None else _port(port))


def is_host(text: str) -> bool:
    """Whether this can name a host: a name or an address, nothing that a command would misread."""
    return _HOST.fullmatch(text) is not None


def _port(text: str) -> int:
    if not (text.isascii() and text.isdigit() and len(text) <= 5 and 1 <= int(text) <= 65535):
        raise ValueError(f"{text!r} is no port from 1 to 65535")
    return int(text)
