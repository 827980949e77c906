"""``agi snippet``: a Python program that does the same as a command."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from agi_cli.arguments import app_reference
from agi_cli.completion import plans
from agi_cli.options import App, Format, Output
from agi_cli.session import Session, session_of
from agi_cli.views.snippet import verdict_report
from agi_cli.written_file import read_file, write_file
from agi_cluster.model.snippet import SnippetKind
from agi_env.errors import SnippetStaleError

app = typer.Typer(rich_markup_mode=None, add_completion=False)

_MARK = "snippet_api"
"""Stands in the first lines of every snippet."""
Target = Annotated[
    str, typer.Option("--file", "-f", metavar="FILE", help="Write it there, not to stdout.")
]
Force = Annotated[bool, typer.Option("--force", help="Replace FILE whatever it is.")]
Plan = Annotated[
    str,
    typer.Option(
        metavar="NAME",
        help="Bind it to this plan; by default it makes a new one each time.",
        autocompletion=plans,
    ),
]
Notebook = Annotated[
    bool,
    typer.Option(
        "--notebook", help="Write a Jupyter notebook of install, distribute and run instead."
    ),
]


@app.callback()
def snippet() -> None:
    """Write a Python program that does the same as a command.

    It is rendered from the app's settings; equal settings and sources give equal bytes.
    """


@app.command()
def install(
    context: typer.Context,
    name: App,
    *,
    file: Target = "",
    notebook: Notebook = False,
    force: Force = False,
    output: Output = Format.TABLE,
) -> None:
    """Write the program that installs APP."""
    kind = SnippetKind.INSTALL
    _render(session_of(context), name, kind, file, output, notebook=notebook, force=force)


@app.command()
def distribute(
    context: typer.Context,
    name: App,
    *,
    file: Target = "",
    plan: Plan = "",
    notebook: Notebook = False,
    force: Force = False,
    output: Output = Format.TABLE,
) -> None:
    """Write the program that shows how the work of APP is distributed."""
    kind = SnippetKind.DISTRIBUTE
    session = session_of(context)
    _render(session, name, kind, file, output, plan=plan, notebook=notebook, force=force)


@app.command()
def run(
    context: typer.Context,
    name: App,
    *,
    file: Target = "",
    plan: Plan = "",
    notebook: Notebook = False,
    force: Force = False,
    output: Output = Format.TABLE,
) -> None:
    """Write the program that runs APP."""
    kind = SnippetKind.RUN
    session = session_of(context)
    _render(session, name, kind, file, output, plan=plan, notebook=notebook, force=force)


@app.command()
def verify(
    context: typer.Context,
    file: Annotated[
        Path, typer.Argument(metavar="FILE", help="A program that `agi snippet` wrote.")
    ],
    output: Output = Format.TABLE,
) -> None:
    """Say whether the program in FILE is what would be rendered now; ends with 5 if it is not."""
    session = session_of(context)
    text = read_file(file)
    with session.client() as client:
        verdict = client.verify_snippet(text)
    session.show(output, verdict, lambda: verdict_report(verdict))
    if not verdict.current:
        app_name = verdict.facts.app.removesuffix("_project")
        raise SnippetStaleError(
            f"{len(verdict.stale)} of what it was rendered from changed since",
            where=str(file),
            remedy=f"`agi snippet {verdict.facts.kind.value} {app_name}` renders it again",
        )


def _render(
    session: Session,
    name: str,
    kind: SnippetKind,
    file: str,
    output: Format,
    *,
    plan: str = "",
    notebook: bool,
    force: bool,
) -> None:
    with session.client() as client:
        made = client.render_snippet(app_reference(name), kind, plan=plan, notebook=notebook)
    if file:
        write_file(Path(file), made.text, mark=_MARK, force=force)
        session.say(f"written: {file}")
    if output is Format.JSON:
        session.show(output, made, lambda: "")
    elif not file:
        session.write(made.text)
