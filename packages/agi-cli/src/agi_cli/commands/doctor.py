"""``agi doctor``: what is wrong with the machines, or with an app on its machines."""

from __future__ import annotations

from typing import Annotated

import typer

from agi_cli import completion
from agi_cli.arguments import app_reference
from agi_cli.options import Format, Output
from agi_cli.session import session_of
from agi_cli.ticks import ticks
from agi_cli.views.diagnosis import diagnosis_report
from agi_cluster.model.diagnosis import Diagnose, Diagnosis
from agi_env.errors import DaemonError, RefusedError

app = typer.Typer(rich_markup_mode=None, add_completion=False)


@app.command()
def doctor(
    context: typer.Context,
    name: Annotated[
        str,
        typer.Argument(
            metavar="[APP]",
            help="Look at what this app needs too. Without it: at the machines alone.",
            autocompletion=completion.apps,
            show_default=False,
        ),
    ] = "",
    *,
    host: Annotated[
        list[str] | None,
        typer.Option(
            "--host",
            metavar="HOST",
            help="Only this host; may be given again. Default: the app's, else all.",
        ),
    ] = None,
    output: Output = Format.TABLE,
) -> None:
    """Find out what is wrong with the machines, and say what mends it.

    Ends with 5 where something keeps work from being done, with 0 otherwise.
    """
    session = session_of(context)
    request = Diagnose(app=app_reference(name) if name else "", hosts=tuple(host or ()))
    found: Diagnosis | None = None
    with session.client() as client, ticks(session.err, quiet=output is Format.JSON) as shown:
        for told in client.diagnose(request):
            if isinstance(told, Diagnosis):
                found = told
            else:
                shown.take(told)
    if found is None:
        raise DaemonError("the daemon ended the diagnosis before its end")
    diagnosis = found
    session.show(output, diagnosis, lambda: diagnosis_report(diagnosis))
    if not diagnosis.healthy:
        raise typer.Exit(RefusedError.exit_code)
