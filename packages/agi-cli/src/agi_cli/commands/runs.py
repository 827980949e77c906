"""``agi runs``: look at runs, follow, cancel and retry them, read their logs."""

from __future__ import annotations

import json
from itertools import groupby
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Group, RenderableType

from agi_cli.arguments import age, app_name
from agi_cli.completion import apps
from agi_cli.following import follow_run
from agi_cli.listing import fetched
from agi_cli.log_pieces import some_of_log
from agi_cli.options import DryRun, Format, Limit, Output, RunName, Verbose
from agi_cli.page.document import GENERATED, run_page
from agi_cli.reporting import report
from agi_cli.session import session_of
from agi_cli.views.plan_and_run import plan_and_run
from agi_cli.views.pruning import pruning_report
from agi_cli.views.run import partition_table, run_report, run_table
from agi_cli.written_file import write_file
from agi_cluster.model.page import Page
from agi_cluster.model.plan import Plan
from agi_cluster.model.pruning import PrunePolicy
from agi_cluster.model.run import Run, RunPartition, RunState

app = typer.Typer(rich_markup_mode=None, add_completion=False, no_args_is_help=False)


@app.callback()
def runs() -> None:
    """Look at runs, follow, cancel and retry them, read their logs."""


@app.command("list")
def list_(
    context: typer.Context,
    name: Annotated[
        str, typer.Option("--app", metavar="APP", help="Only of this app.", autocompletion=apps)
    ] = "",
    states: Annotated[
        list[RunState] | None,
        typer.Option("--state", case_sensitive=False, help="Only in this state; may be repeated."),
    ] = None,
    limit: Limit = 20,
    output: Output = Format.TABLE,
) -> None:
    """List the runs, newest first."""
    session = session_of(context)
    with session.client() as client:

        def page(*, page_size: int, page_token: str) -> Page[Run]:
            return client.list_runs(
                page_size=page_size,
                page_token=page_token,
                app=app_name(name),
                states=tuple(states or ()),
            )

        listing = fetched(Run, page, limit=limit)
    session.show(output, listing, lambda: run_table(listing, filtered=bool(name or states)))


@app.command()
def show(
    context: typer.Context,
    name: RunName,
    with_plan: Annotated[
        bool, typer.Option("--plan", help="Compare it with the plan that it executed.")
    ] = False,
    output: Output = Format.TABLE,
) -> None:
    """Show the report of RUN, as far as it is."""
    session = session_of(context)
    with session.client() as client:
        run = client.get_run(name)
        partitions = fetched(RunPartition, client.list_run_partitions, run.id).items
        plan = client.get_plan(run.plan) if with_plan and run.plan else None
    session.show(output, run, lambda: _report(run, partitions, plan))


@app.command()
def partitions(
    context: typer.Context, name: RunName, limit: Limit = 1000, output: Output = Format.TABLE
) -> None:
    """List the partitions of RUN, with the seconds each took."""
    session = session_of(context)
    with session.client() as client:
        listing = fetched(RunPartition, client.list_run_partitions, name, limit=limit)
        settled = not listing.items and client.get_run(name).state.settled
    session.show(output, listing, lambda: partition_table(listing, settled=settled))


@app.command()
def watch(
    context: typer.Context, name: RunName, verbose: Verbose = None, output: Output = Format.TABLE
) -> None:
    """Follow RUN to its end and print its report, with the exit codes of `agi run`."""
    session = session_of(context)
    with session.client() as client:
        run = client.get_run(name)
        last = run if run.state.settled else follow_run(session, client, run, verbose)
        report(session, client, last, output)


@app.command()
def logs(
    context: typer.Context,
    name: RunName,
    file: Annotated[
        str, typer.Option(metavar="FILE", help="Only this file, such as executor-0-0.log.")
    ] = "",
    follow: Annotated[
        bool, typer.Option("--follow", "-F", help="Go on until the run is settled.")
    ] = False,
    output: Output = Format.TABLE,
) -> None:
    """Write what the processes of RUN printed."""
    session = session_of(context)
    with session.client() as client:
        pieces = some_of_log(session, client, name, file=file, follow=follow)
        files = ((each, texts) for each, texts in groupby(pieces, key=lambda piece: piece[0]))
        if output is Format.JSON:
            whole = [{"file": each, "text": "".join(t for _, t in texts)} for each, texts in files]
            session.write_json(json.dumps(whole, ensure_ascii=False, indent=2))
            return
        for each, texts in files:
            if not file:
                session.say(f"--- {each}")
            for _, text in texts:
                session.write(text)


@app.command()
def cancel(
    context: typer.Context,
    name: RunName,
    grace: Annotated[
        float | None,
        typer.Option(
            min=0, metavar="SECONDS", help="Time that running partitions have to finish. [10]"
        ),
    ] = None,
    dry_run: DryRun = False,
    output: Output = Format.TABLE,
) -> None:
    """Ask RUN to stop, and have it killed after the grace period."""
    session = session_of(context)
    with session.client() as client:
        run = client.cancel_run(name, grace_seconds=grace, validate_only=dry_run)
    session.show(output, run, lambda: run_report(run, ()))


@app.command()
def retry(
    context: typer.Context,
    name: RunName,
    *,
    current_sources: Annotated[
        bool,
        typer.Option("--current-sources", help="Go on although the app's sources have changed."),
    ] = False,
    detach: Annotated[
        bool, typer.Option("--detach", "-d", help="Return as soon as the new run is accepted.")
    ] = False,
    dry_run: DryRun = False,
    verbose: Verbose = None,
    output: Output = Format.TABLE,
) -> None:
    """Do what RUN did not, in a new run that takes over what it did.

    For runs that failed, were cancelled or lost their runner. Exit codes as of `agi run`.
    """
    session = session_of(context)
    with session.client() as client:
        accepted = client.retry_run(name, current_sources=current_sources, validate_only=dry_run)
        if dry_run or detach:
            session.show(output, accepted, lambda: run_report(accepted, ()))
            return
        report(session, client, follow_run(session, client, accepted, verbose), output)


@app.command()
def prune(  # noqa: PLR0917 - typer reads options from the parameters
    context: typer.Context,
    older_than: Annotated[
        str,
        typer.Option(
            metavar="AGE",
            help="Runs and executions of pipelines settled so long ago, such as 30d or 12h.",
        ),
    ] = "",
    keep: Annotated[
        int,
        typer.Option(
            min=0,
            metavar="N",
            help="Keep the newest N settled runs, and N executions of each pipeline, in any case.",
        ),
    ] = 0,
    events_older_than: Annotated[
        str,
        typer.Option(metavar="AGE", help="Also events of this age of what is settled and stays."),
    ] = "",
    requests_older_than: Annotated[
        str, typer.Option(metavar="AGE", help="Also request ids of this age.")
    ] = "",
    dry_run: Annotated[
        bool, typer.Option("--dry-run/--no-dry-run", help="Only say what would go.")
    ] = True,
    output: Output = Format.TABLE,
) -> None:
    """Forget old runs with their directories and logs on all hosts; published results stay.

    Old executions of pipelines go with the code and the logs of their steps; their outputs stay.
    Without --no-dry-run nothing goes: it is only said what would.
    """
    session = session_of(context)
    policy = PrunePolicy(
        older_than=age(older_than, "--older-than"),
        keep=keep,
        events_older_than=age(events_older_than, "--events-older-than"),
        requests_older_than=age(requests_older_than, "--requests-older-than"),
    )
    with session.client() as client:
        pruning = client.prune_runs(policy, validate_only=dry_run)
    session.show(output, pruning, lambda: pruning_report(pruning, dry_run=dry_run))
    if dry_run and output is Format.TABLE:
        session.say("nothing is gone yet; --no-dry-run does it")


@app.command()
def page(
    context: typer.Context,
    name: RunName,
    file: Annotated[
        Path, typer.Option("--file", metavar="FILE", help="Where to write it. [RUN.html]")
    ] = Path(),
    *,
    force: Annotated[bool, typer.Option("--force", help="Replace FILE whatever it is.")] = False,
) -> None:
    """Write RUN as one HTML page: what ran when, loads as planned and as they were, failures."""
    session = session_of(context)
    with session.client() as client:
        run = client.get_run(name)
        partitions = fetched(RunPartition, client.list_run_partitions, run.id).items
        plan = client.get_plan(run.plan) if run.plan else None
    target = Path(f"{run.id}.html") if file == Path() else file
    write_file(target, run_page(run, partitions, plan), mark=GENERATED, force=force)
    session.say(f"written: {target}")


def _report(run: Run, partitions: tuple[RunPartition, ...], plan: Plan | None) -> RenderableType:
    report = run_report(run, partitions)
    return report if plan is None else Group(report, plan_and_run(run, plan, partitions))
