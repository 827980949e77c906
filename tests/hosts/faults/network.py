"""Faults of the network: a cable that carries nothing, lost packets, a slow line."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from itertools import count

from hosts import programs
from hosts.host import Fault, Host

_FILTER = "chain {hook} {{ type filter hook {hook} priority 0; policy accept; {rules} }}\n"
_numbers = count(1)


def link_down(host: Host) -> Iterator[None]:
    """The cable is pulled: nobody is told, and nothing gets through."""
    boot = host.boot
    host.network.set_link(host.place.number, "down")
    yield
    if host.boot == boot:
        host.network.set_link(host.place.number, "up")


def packets_dropped(*, incoming: bool = True, outgoing: bool = True) -> Fault:
    """Everything that arrives at the host or leaves it is lost without a word."""

    def fault(host: Host) -> Iterator[None]:
        hooks = [*["input"] * incoming, *["output"] * outgoing]
        away = "meta iifname lo accept; meta oifname lo accept; drop;"
        with rules(host, "".join(_FILTER.format(hook=hook, rules=away) for hook in hooks)):
            yield

    return fault


def unreachable(addresses: Sequence[str], port: int | None = None) -> Fault:
    """What the host sends to these addresses is lost; others and other hosts are as before.

    Args:
        addresses: IPv4 and IPv6 addresses, such as another host's or the manager's.
        port: The only TCP port that is meant; by default everything.
    """

    def fault(host: Host) -> Iterator[None]:
        match = "" if port is None else f"tcp dport {port}"
        lines = [f"{'ip6' if ':' in to else 'ip'} daddr {to} {match} drop;" for to in addresses]
        with rules(host, _FILTER.format(hook="output", rules=" ".join(lines))):
            yield

    return fault


def throttled(rate: str = "1mbit") -> Fault:
    """The line carries this much in each direction; ``rate`` as tc-tbf(8) reads it."""

    def fault(host: Host) -> Iterator[None]:
        boot, port = host.boot, host.place.subnet.port(host.place.number)
        ends: list[tuple[list[str], str]] = [([], port), (host.machine.enter("--net"), "eth0")]
        for before, link in ends:
            _tc(before, "add", link, "tbf", "rate", rate, "burst", "16kb", "latency", "300ms")
        yield
        if host.boot == boot:
            for before, link in ends:
                _tc(before, "del", link)

    return fault


@contextmanager
def rules(host: Host, chains: str) -> Iterator[None]:
    """Have a table of nftables in the host's network for as long as this lasts."""
    boot, table = host.boot, f"inet fault{next(_numbers)}"
    _nft(host, f"table {table} {{\n{chains}}}\n")
    yield
    if host.boot == boot:
        _nft(host, f"delete table {table}\n")


def _nft(host: Host, text: str) -> None:
    programs.run(*host.machine.enter("--net"), programs.found("nft"), "-f", "-", text=text)


def _tc(before: Sequence[str], verb: str, link: str, *words: str) -> None:
    programs.run(*before, programs.found("tc"), "qdisc", verb, "dev", link, "root", *words)
