"""Which address of this machine others reach it at, and which one it listens at."""

from __future__ import annotations

import socket
from contextlib import closing
from ipaddress import ip_address

_EVERYWHERE = {socket.AF_INET: "0.0.0.0", socket.AF_INET6: "::"}  # noqa: S104 - see listening_at


def listening_at(host: str) -> str:
    """The address to listen at for those who were told to come to ``host``.

    It is that of the host where this machine has it. Behind a translator of addresses, or a name
    that only others resolve, it has none of them: then it is every address, and the keys decide
    who comes in.

    Args:
        host: A name or an address, as others were told.
    """
    for family, address in _resolved(host):
        if _is_ours(family, address):
            return address
    return _EVERYWHERE[socket.AF_INET6 if ":" in host else socket.AF_INET]


def in_url(address: str) -> str:
    """An address as it stands before a port: one of IPv6 has brackets there."""
    return f"[{address}]" if ":" in address else address


def is_outside_address(text: str) -> bool:
    """Whether this is an address, no name, at which others may reach this very machine."""
    try:
        address = ip_address(text)
    except ValueError:
        return False
    family = socket.AF_INET if address.version == 4 else socket.AF_INET6
    usual = not (address.is_loopback or address.is_unspecified or address.is_multicast)
    return usual and _is_ours(family, text)


def address_toward(host: str, port: int) -> str:
    """The address of this machine from which it reaches another; nothing is sent.

    Raises:
        OSError: The name does not resolve, or there is no route.
    """
    found = socket.getaddrinfo(host, port, type=socket.SOCK_DGRAM)
    family, kind, protocol, _, place = found[0]
    with closing(socket.socket(family, kind, protocol)) as probe:
        probe.connect(place)
        return str(probe.getsockname()[0])


def _resolved(host: str) -> list[tuple[socket.AddressFamily, str]]:
    try:
        found = socket.getaddrinfo(host, 0, type=socket.SOCK_STREAM)
    except OSError:
        return []
    return [(family, str(place[0])) for family, _, _, _, place in found]


def _is_ours(family: socket.AddressFamily, address: str) -> bool:
    with closing(socket.socket(family, socket.SOCK_STREAM)) as probe:
        try:
            probe.bind((address, 0))
        except OSError:
            return False
        return True
