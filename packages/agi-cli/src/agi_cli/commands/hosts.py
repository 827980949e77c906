"""``agi hosts``: look at the machines."""

from __future__ import annotations

import typer

from agi_cli.listing import fetched
from agi_cli.options import Format, Limit, Output
from agi_cli.session import session_of
from agi_cli.views.host import host_table
from agi_cluster.model.host import Host

app = typer.Typer(rich_markup_mode=None, add_completion=False)


@app.callback()
def hosts() -> None:
    """Look at the machines."""


@app.command("list")
def list_(context: typer.Context, limit: Limit = 100, output: Output = Format.TABLE) -> None:
    """List the machines, with what they have and what runs hold of it."""
    session = session_of(context)
    with session.client() as client:
        listing = fetched(Host, client.list_hosts, limit=limit)
    session.show(output, listing, lambda: host_table(listing))
