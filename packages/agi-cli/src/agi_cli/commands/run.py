"""``agi run``: run an app, watch it, report."""

from __future__ import annotations

from typing import Annotated

import typer

from agi_cli.arguments import app_args, app_reference, mode_of, selection_of
from agi_cli.completion import plans
from agi_cli.following import follow_run
from agi_cli.options import (
    App,
    AppArgs,
    CoresPerSlot,
    DryRun,
    Format,
    ModeNumber,
    NoInstall,
    Output,
    ReleaseDigest,
    Scheduler,
    Verbose,
    Workers,
)
from agi_cli.reporting import report
from agi_cli.session import session_of
from agi_cli.views.run import run_report
from agi_cluster.model.requests import StalePlan, StartRun
from agi_env.errors import RequestInvalidError

app = typer.Typer(rich_markup_mode=None, add_completion=False)


@app.command()
def run(
    context: typer.Context,
    name: App,
    *,
    mode: ModeNumber = None,
    workers: Workers = None,
    scheduler: Scheduler = "",
    cores_per_slot: CoresPerSlot = 0,
    args: AppArgs = None,
    plan: Annotated[
        str,
        typer.Option(
            metavar="NAME", help="Execute this plan instead of a new one.", autocompletion=plans
        ),
    ] = "",
    proceed: Annotated[
        bool,
        typer.Option("--proceed", help="Execute the plan as it was made, whatever has changed."),
    ] = False,
    rebase: Annotated[
        bool,
        typer.Option("--rebase", help="Execute a new plan with the pins and moves of the plan."),
    ] = False,
    no_install: NoInstall = False,
    timeout: Annotated[
        float | None,
        typer.Option(
            min=0.001, metavar="SECONDS", help="For the whole run. Default: the settings."
        ),
    ] = None,
    partition_timeout: Annotated[
        float | None,
        typer.Option(
            min=0, metavar="SECONDS", help="For each partition; 0: none. Default: the settings."
        ),
    ] = None,
    max_attempts: Annotated[
        int | None,
        typer.Option(
            min=1, help="At a partition whose process dies. Default: the settings, else 3."
        ),
    ] = None,
    release: ReleaseDigest = "",
    detach: Annotated[
        bool, typer.Option("--detach", "-d", help="Return as soon as the run is accepted.")
    ] = False,
    dry_run: DryRun = False,
    verbose: Verbose = None,
    output: Output = Format.TABLE,
) -> None:
    """Run APP, watch it, and print its report.

    Ctrl-C stops watching (exit code 130), never the run. A run that failed ends this with the exit
    code of its error, one that was cancelled with 12.
    """
    session = session_of(context)
    request = StartRun(
        app=app_reference(name),
        mode=mode_of(mode),
        selection=selection_of(workers, scheduler, cores_per_slot),
        args=app_args(args),
        plan=plan,
        no_install=no_install,
        release=release,
        verbose=verbose,
        run_timeout=timeout,
        partition_timeout=partition_timeout,
        max_attempts=max_attempts,
        stale_plan=_stale_plan(plan, proceed=proceed, rebase=rebase),
    )
    with session.client() as client:
        accepted = client.start_run(request, validate_only=dry_run)
        if dry_run or detach:
            session.show(output, accepted, lambda: run_report(accepted, ()))
            if detach and not dry_run:
                session.say(f"`agi runs watch {accepted.id}` follows it")
            return
        report(session, client, follow_run(session, client, accepted, verbose), output)


def _stale_plan(plan: str, *, proceed: bool, rebase: bool) -> StalePlan | None:
    """What to do with a plan where something has changed since it was made.

    Raises:
        RequestInvalidError: Both are asked for, or there is no plan.
    """
    if (proceed or rebase) and (not plan or (proceed and rebase)):
        raise RequestInvalidError(
            "--proceed and --rebase go with --plan, one of them", where="agi run"
        )
    return StalePlan.PROCEED if proceed else StalePlan.REBASE if rebase else None
