"""What ``agi hosts`` asks and tells on the way from an unknown machine to one that is ready."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from getpass import getpass
from typing import TYPE_CHECKING

from agi_cli.listing import fetched
from agi_cli.options import Format
from agi_cli.session import Session
from agi_cli.views.host import host_facts
from agi_cluster.model.host import Host, HostState
from agi_env.errors import RequestInvalidError

if TYPE_CHECKING:
    from agi_cluster.client.sync import Client

_CLOSED = (HostState.UNTRUSTED, HostState.KEY_CHANGED)
_AT_ONCE = 32


def settle_trust(session: Session, client: Client, host: Host) -> Host:
    """Show the key of a host that is not trusted; where somebody is there, ask whether it is."""
    if host.state not in _CLOSED or not session.interactive:
        return host
    if host.state is HostState.KEY_CHANGED:
        session.say(f"{host.address} {host.reason}.")
    session.say(f"{host.address} shows the host key {host.offered_fingerprint}")
    session.say("Compare it: `ssh-keygen -lf /etc/ssh/ssh_host_ed25519_key.pub` on that host.")
    if session.ask('Type "yes" if it is the same:') != "yes":
        return host
    return client.trust_host(host.address, host.offered_fingerprint)


def password_for(session: Session, host: Host, *, from_stdin: bool) -> str:
    """The password of the login on a host, asked for once and never shown.

    Raises:
        RequestInvalidError: There is no terminal to ask on, or nothing was given.
    """
    if from_stdin:
        password = session.answers.readline().rstrip("\r\n")
    elif session.interactive:
        who = f"{host.user}@{host.address}" if host.user else host.address
        password = getpass(f"Password of {who}: ", stream=session.err)
    else:
        raise RequestInvalidError(
            "there is no terminal to ask for the password on",
            where=host.address,
            remedy=f"Pipe it: `agi hosts authorize {host.address} --password-stdin < FILE`",
        )
    if not password:
        raise RequestInvalidError("no password was given", where=host.address)
    return password


def check_all(client: Client, names: Sequence[str] | None) -> tuple[Host, ...]:
    """Look at these hosts, or at all, at the same time."""
    chosen = names or [host.address for host in fetched(Host, client.list_hosts).items]
    with ThreadPoolExecutor(_AT_ONCE) as callers:
        return tuple(callers.map(client.check_host, chosen))


def tell(session: Session, host: Host, output: Format) -> None:
    """Show a host, and what to type next.

    Raises:
        AgiError: The host's own, where it answers and cannot be used, or does not answer.
    """
    session.show(output, host, lambda: host_facts(host))
    if host.state is HostState.UNTRUSTED and host.error is not None:
        session.say(f"next: {host.error.remedy}")
    elif host.error is not None:
        raise host.error
    else:
        session.say(
            f"next: `agi hosts list` shows all; `agi run APP --mode 4 --worker {host.address}=1` "
            "runs an app there"
        )
