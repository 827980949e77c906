"""``agi releases``: what was installed and can be again, and what is kept of it no longer."""

from __future__ import annotations

from typing import Annotated

import typer

from agi_cli import completion
from agi_cli.arguments import app_name
from agi_cli.listing import fetched
from agi_cli.options import App, Format, Limit, Output
from agi_cli.session import session_of
from agi_cli.views.release import pruning_view, release_table
from agi_cluster.model.release import (
    DEFAULT_KEEP,
    DEFAULT_UNUSED_DAYS,
    PruneReleases,
    Release,
)

app = typer.Typer(rich_markup_mode=None, add_completion=False)


@app.callback()
def releases() -> None:
    """Look at what was installed and can be again; remove what nothing needs."""


@app.command("list")
def list_(
    context: typer.Context, name: App, limit: Limit = 20, output: Output = Format.TABLE
) -> None:
    """List the releases of APP, the one that was installed last first."""
    session = session_of(context)
    with session.client() as client:
        listing = fetched(Release, client.list_releases, app_name(name), limit=limit)
    session.show(output, listing, lambda: release_table(listing))


@app.command()
def prune(
    context: typer.Context,
    names: Annotated[
        list[str] | None,
        typer.Argument(metavar="[HOST]...", help="Default: all.", autocompletion=completion.hosts),
    ] = None,
    *,
    keep: Annotated[
        int, typer.Option(min=1, help="So many releases of each app stay in any case.")
    ] = DEFAULT_KEEP,
    unused_days: Annotated[
        float, typer.Option(min=0, help="What was used within so many days stays.")
    ] = DEFAULT_UNUSED_DAYS,
    remove: Annotated[
        bool, typer.Option("--remove", help="Remove it. Without this it is only shown.")
    ] = False,
    output: Output = Format.TABLE,
) -> None:
    """Show which builds, wheels and directories of runs nothing needs; with --remove, remove them.

    What a run uses is never touched. The first host on which it failed gives the exit code.
    """
    session = session_of(context)
    request = PruneReleases(hosts=tuple(names or ()), keep=keep, unused_days=unused_days)
    with session.client() as client:
        pruning = client.prune_releases(request, validate_only=not remove)
    session.show(output, pruning, lambda: pruning_view(pruning, removed=remove))
    if not remove and any(host.removed for host in pruning.hosts):
        session.say("next: the same with --remove removes it")
    for host in pruning.hosts:
        if host.error is not None:
            raise host.error
