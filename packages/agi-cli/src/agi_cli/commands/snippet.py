"""``agi snippet``: a Python program that does the same as a command."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from agi_cli.arguments import app_reference
from agi_cli.options import App, Format, Output
from agi_cli.session import Session, session_of
from agi_cli.written_file import write_file
from agi_cluster.model.snippet import SnippetKind

app = typer.Typer(rich_markup_mode=None, add_completion=False)

Target = Annotated[
    str, typer.Option("--file", "-f", metavar="FILE", help="Write it there, not to stdout.")
]


@app.callback()
def snippet() -> None:
    """Write a Python program that does the same as a command.

    It is rendered from the app's settings; equal settings give equal bytes.
    """


@app.command()
def install(
    context: typer.Context, name: App, file: Target = "", output: Output = Format.TABLE
) -> None:
    """Write the program that installs APP."""
    _render(session_of(context), name, SnippetKind.INSTALL, file, output)


@app.command()
def distribute(
    context: typer.Context, name: App, file: Target = "", output: Output = Format.TABLE
) -> None:
    """Write the program that shows how the work of APP is distributed."""
    _render(session_of(context), name, SnippetKind.DISTRIBUTE, file, output)


@app.command()
def run(
    context: typer.Context, name: App, file: Target = "", output: Output = Format.TABLE
) -> None:
    """Write the program that runs APP."""
    _render(session_of(context), name, SnippetKind.RUN, file, output)


def _render(session: Session, name: str, kind: SnippetKind, file: str, output: Format) -> None:
    with session.client() as client:
        made = client.render_snippet(app_reference(name), kind)
    if file:
        write_file(Path(file), made.text)
        session.say(f"written: {file}")
    if output is Format.JSON:
        session.show(output, made, lambda: "")
    elif not file:
        session.write(made.text)
