"""``agi modes``: which modes an app can be run in, and what would make the others so."""

from __future__ import annotations

import typer

from agi_cli.arguments import app_reference, selection_of
from agi_cli.options import App, Format, Output, Workers
from agi_cli.session import session_of
from agi_cli.views.modes import modes_view

app = typer.Typer(rich_markup_mode=None, add_completion=False)


@app.command()
def modes(
    context: typer.Context, name: App, *, workers: Workers = None, output: Output = Format.TABLE
) -> None:
    """Show for each mode and host whether APP can be run, why not, and what would help.

    The hosts are asked: for a C compiler, and for GPUs. Nothing is changed.
    """
    session = session_of(context)
    with session.client() as client:
        told = client.get_modes(app_reference(name), selection_of(workers))
    session.show(output, told, lambda: modes_view(told))
