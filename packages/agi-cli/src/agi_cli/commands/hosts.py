"""``agi hosts``: enrol machines, trust their keys, look at them, drain and remove them."""

from __future__ import annotations

from typing import Annotated

import typer

from agi_cli import completion
from agi_cli.enrolment import check_all, password_for, settle_trust, tell
from agi_cli.listing import Listing, fetched
from agi_cli.options import DryRun, Format, HostName, Limit, Output
from agi_cli.session import session_of
from agi_cli.views.host import host_facts, host_table
from agi_cluster.model.host import Host
from agi_cluster.model.login_name import LoginName
from agi_env.paths import absolute

app = typer.Typer(rich_markup_mode=None, add_completion=False)


@app.callback()
def hosts() -> None:
    """Enrol machines, trust their keys, look at them, drain and remove them."""


@app.command()
def add(
    context: typer.Context,
    login: Annotated[
        str,
        typer.Argument(
            metavar="[USER@]HOST[:PORT]",
            help="A name, an address or an alias of ssh_config; IPv6 with a port as [::1]:2222.",
        ),
    ],
    *,
    identity: Annotated[
        str,
        typer.Option(metavar="FILE", help="The private key to log in with, on the manager."),
    ] = "",
    trust_fingerprint: Annotated[
        str, typer.Option(metavar="SHA256:...", help="Trust its key if it is this one.")
    ] = "",
    dry_run: DryRun = False,
    output: Output = Format.TABLE,
) -> None:
    """Enrol a machine: ask for its host key, have you compare it, then look at the machine.

    Without a terminal and without --trust-fingerprint it stays UNTRUSTED, and what to type next
    is said.
    """
    session = session_of(context)
    name = LoginName.parse(login)
    with session.client() as client:
        host = client.create_host(
            name.host,
            user=name.user,
            port=name.port,
            identity_file=str(absolute(identity)) if identity else "",
            trust_fingerprint=trust_fingerprint,
            validate_only=dry_run,
        )
        if not dry_run:
            host = settle_trust(session, client, host)
    tell(session, host, output)


@app.command()
def trust(
    context: typer.Context,
    name: HostName,
    fingerprint: Annotated[
        str, typer.Option(metavar="SHA256:...", help="Of the key that you have compared.")
    ] = "",
    dry_run: DryRun = False,
    output: Output = Format.TABLE,
) -> None:
    """Accept the key of HOST, and no other from then on; on a terminal it is shown first."""
    session = session_of(context)
    with session.client() as client:
        if fingerprint:
            host = client.trust_host(name, fingerprint, validate_only=dry_run)
        else:
            host = client.check_host(name, validate_only=dry_run)
            host = host if dry_run else settle_trust(session, client, host)
    tell(session, host, output)


@app.command()
def authorize(
    context: typer.Context,
    name: HostName,
    password_stdin: Annotated[
        bool, typer.Option("--password-stdin", help="Read the password from standard input.")
    ] = False,
    dry_run: DryRun = False,
    output: Output = Format.TABLE,
) -> None:
    """Install a key of the daemon's on HOST after one login by password, which is kept nowhere."""
    session = session_of(context)
    with session.client() as client:
        client.authorize_host(name, "not sent", validate_only=True)
        host = client.get_host(name)
        if not dry_run:
            password = password_for(session, host, from_stdin=password_stdin)
            host = client.authorize_host(name, password)
    tell(session, host, output)


@app.command("list")
def list_(context: typer.Context, limit: Limit = 100, output: Output = Format.TABLE) -> None:
    """List the machines, with what they have and what runs hold of it."""
    session = session_of(context)
    with session.client() as client:
        listing = fetched(Host, client.list_hosts, limit=limit)
    session.show(output, listing, lambda: host_table(listing))


@app.command()
def show(context: typer.Context, name: HostName, output: Output = Format.TABLE) -> None:
    """Show all that is known of HOST."""
    session = session_of(context)
    with session.client() as client:
        host = client.get_host(name)
    session.show(output, host, lambda: host_facts(host))


@app.command()
def check(
    context: typer.Context,
    names: Annotated[
        list[str] | None,
        typer.Argument(metavar="[HOST]...", help="Default: all.", autocompletion=completion.hosts),
    ] = None,
    output: Output = Format.TABLE,
) -> None:
    """Look at machines again, all at once; the first that cannot be used gives the exit code."""
    session = session_of(context)
    with session.client() as client:
        listing = Listing(Host, check_all(client, names))
    session.show(output, listing, lambda: host_table(listing))
    for host in listing.items:
        if host.error is not None:
            raise host.error


@app.command()
def drain(
    context: typer.Context, name: HostName, dry_run: DryRun = False, output: Output = Format.TABLE
) -> None:
    """Have nothing new placed on HOST; what runs there goes on."""
    session = session_of(context)
    with session.client() as client:
        host = client.drain_host(name, validate_only=dry_run)
    session.show(output, host, lambda: host_facts(host))
    session.say(f"next: `agi hosts resume {host.address}` ends it")


@app.command()
def resume(
    context: typer.Context, name: HostName, dry_run: DryRun = False, output: Output = Format.TABLE
) -> None:
    """End the draining of HOST."""
    session = session_of(context)
    with session.client() as client:
        host = client.resume_host(name, validate_only=dry_run)
    session.show(output, host, lambda: host_facts(host))


@app.command()
def remove(
    context: typer.Context, name: HostName, dry_run: DryRun = False, output: Output = Format.TABLE
) -> None:
    """Forget HOST; what is installed on it stays there."""
    session = session_of(context)
    with session.client() as client:
        host = client.delete_host(name, validate_only=dry_run)
    session.show(output, host, lambda: host_facts(host))
    session.say(f"next: `agi hosts add {host.address}` enrols it again")
