"""``agi apps``: look at the known apps, make and register them."""

from __future__ import annotations

from typing import Annotated

import typer

from agi_cli.arguments import app_reference
from agi_cli.listing import fetched
from agi_cli.options import App, DryRun, Format, Limit, Output
from agi_cli.session import session_of
from agi_cli.views.app import app_facts, app_table
from agi_cluster.model.app import App as KnownApp
from agi_env.paths import absolute

app = typer.Typer(rich_markup_mode=None, add_completion=False)


@app.callback()
def apps() -> None:
    """Look at the known apps, make and register them."""


@app.command("list")
def list_(context: typer.Context, limit: Limit = 100, output: Output = Format.TABLE) -> None:
    """List the known apps by name."""
    session = session_of(context)
    with session.client() as client:
        listing = fetched(KnownApp, client.list_apps, limit=limit)
    session.show(output, listing, lambda: app_table(listing))


@app.command()
def show(context: typer.Context, name: App, output: Output = Format.TABLE) -> None:
    """Show where APP and its settings are."""
    session = session_of(context)
    with session.client() as client:
        found = client.get_app(app_reference(name))
    session.show(output, found, lambda: app_facts(found))


@app.command()
def register(
    context: typer.Context,
    path: Annotated[str, typer.Argument(metavar="PATH", help="The app's folder.")],
    replace: Annotated[
        bool, typer.Option("--replace", help="Take the name over from another folder.")
    ] = False,
    dry_run: DryRun = False,
    output: Output = Format.TABLE,
) -> None:
    """Make the app in a folder known by its name."""
    session = session_of(context)
    with session.client() as client:
        found = client.register_app(str(absolute(path)), replace=replace, validate_only=dry_run)
    session.show(output, found, lambda: app_facts(found))


@app.command()
def new(
    context: typer.Context,
    name: Annotated[str, typer.Argument(metavar="NAME", help="Such as weather_project.")],
    directory: Annotated[
        str, typer.Option("--in", metavar="DIRECTORY", help="Where to make its folder.")
    ] = ".",
    dry_run: DryRun = False,
    output: Output = Format.TABLE,
) -> None:
    """Make a small app that runs as it is, to be changed into your own."""
    session = session_of(context)
    with session.client() as client:
        made = client.create_app(name, str(absolute(directory)), validate_only=dry_run)
    session.show(output, made, lambda: app_facts(made))
