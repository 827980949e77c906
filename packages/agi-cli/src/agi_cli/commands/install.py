"""``agi install``: the worker runtime of an app on its hosts."""

from __future__ import annotations

from typing import Annotated

import typer

from agi_cli.arguments import app_reference, mode_of, selection_of
from agi_cli.following import follow_installation
from agi_cli.options import (
    App,
    DryRun,
    Format,
    Output,
    ReleaseDigest,
    Scheduler,
    Verbose,
    Workers,
)
from agi_cli.session import session_of
from agi_cli.views.installation import installation_preview, installation_report
from agi_cluster.model.installation import Installation, InstallationState
from agi_cluster.model.requests import CreateInstallation
from agi_env.errors import AgiError, BuildFailedError

app = typer.Typer(rich_markup_mode=None, add_completion=False)


@app.command()
def install(
    context: typer.Context,
    name: App,
    *,
    workers: Workers = None,
    scheduler: Scheduler = "",
    modes: Annotated[
        str | None,
        typer.Option(
            metavar="N", help="The sum of the mode bits to enable. Default: as the settings say."
        ),
    ] = None,
    upgrade: Annotated[bool, typer.Option("--upgrade", help="Resolve dependencies anew.")] = False,
    release: ReleaseDigest = "",
    dry_run: DryRun = False,
    verbose: Verbose = None,
    output: Output = Format.TABLE,
) -> None:
    """Install the current sources of APP on its hosts; what is there already is left alone.

    With --release, install an earlier release again.
    """
    session = session_of(context)
    request = CreateInstallation(
        app=app_reference(name),
        selection=selection_of(workers, scheduler),
        modes_enabled=mode_of(modes),
        upgrade=upgrade,
        release=release,
    )
    with session.client() as client:
        accepted = client.create_installation(request, validate_only=dry_run)
        if dry_run:
            session.show(output, accepted, lambda: installation_preview(accepted))
            return
        last = follow_installation(session, client, accepted, verbose)
    session.show(output, last, lambda: installation_report(last))
    if last.state is InstallationState.FAILED:
        raise _failure(last)


def _failure(installation: Installation) -> AgiError:
    found = installation.error or next((h.error for h in installation.hosts if h.error), None)
    return found or BuildFailedError("it failed", where=f"installations/{installation.id}")
