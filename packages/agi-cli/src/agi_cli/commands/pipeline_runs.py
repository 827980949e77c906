"""``agi pipeline``: the commands about executions."""

from __future__ import annotations

import json
from itertools import groupby
from typing import Annotated

import attrs
import typer

from agi_cli.completion import pipeline_runs
from agi_cli.listing import fetched
from agi_cli.options import DryRun, Format, Limit, Output, Verbose
from agi_cli.pipeline_file import pipeline_file
from agi_cli.pipeline_following import follow_pipeline_run, report
from agi_cli.pipeline_options import AllowStale, Detach, Execution, File, Module, Step, Steps
from agi_cli.session import Session, session_of
from agi_cli.views.pipeline import comparison_table, history_table, pipeline_run_report
from agi_cluster.model.page import Page
from agi_cluster.model.pipeline_run import PipelineRun
from agi_cluster.pipeline_comparison import differences


def run(
    context: typer.Context,
    steps: Steps = None,
    *,
    refresh: Annotated[
        bool, typer.Option("--refresh", help="Render stale steps anew first.")
    ] = False,
    allow_stale: AllowStale = False,
    file: File = "",
    module: Module = "",
    detach: Detach = False,
    dry_run: DryRun = False,
    verbose: Verbose = None,
    output: Output = Format.TABLE,
) -> None:
    """Execute the steps, or only those that are named, watch them, and print a report.

    Ctrl-C stops watching (exit code 130), never the execution.
    """
    session = session_of(context)
    with session.client() as client:
        accepted = client.start_pipeline_run(
            pipeline_file(file),
            module=module,
            steps=tuple(steps or ()),
            refresh=refresh,
            allow_stale=allow_stale,
            validate_only=dry_run,
        )
    _followed(session, accepted, output, detach=detach, dry_run=dry_run, verbose=verbose)


def rerun(
    context: typer.Context,
    name: Execution,
    *,
    detach: Detach = False,
    dry_run: DryRun = False,
    verbose: Verbose = None,
    output: Output = Format.TABLE,
) -> None:
    """Execute exactly what EXECUTION did, whatever the file holds now."""
    session = session_of(context)
    with session.client() as client:
        accepted = client.rerun_pipeline(name, validate_only=dry_run)
    _followed(session, accepted, output, detach=detach, dry_run=dry_run, verbose=verbose)


def resume(
    context: typer.Context,
    name: Execution,
    *,
    allow_stale: AllowStale = False,
    detach: Detach = False,
    dry_run: DryRun = False,
    verbose: Verbose = None,
    output: Output = Format.TABLE,
) -> None:
    """Go on with EXECUTION: only what has not succeeded, or was changed since, is executed."""
    session = session_of(context)
    with session.client() as client:
        accepted = client.resume_pipeline_run(name, allow_stale=allow_stale, validate_only=dry_run)
    _followed(session, accepted, output, detach=detach, dry_run=dry_run, verbose=verbose)


def retry(
    context: typer.Context,
    name: Execution,
    step: Step,
    *,
    detach: Detach = False,
    dry_run: DryRun = False,
    verbose: Verbose = None,
    output: Output = Format.TABLE,
) -> None:
    """Execute STEP of EXECUTION again: in it while it goes on, in a new one once it is settled."""
    session = session_of(context)
    with session.client() as client:
        accepted = client.retry_pipeline_step(name, step, validate_only=dry_run)
    _followed(session, accepted, output, detach=detach, dry_run=dry_run, verbose=verbose)


def history(
    context: typer.Context,
    *,
    name: Annotated[
        str,
        typer.Argument(
            metavar="[EXECUTION]", help="Only this one, in full.", autocompletion=pipeline_runs
        ),
    ] = "",
    file: File = "",
    everything: Annotated[
        bool, typer.Option("--all", help="The executions of all pipelines.")
    ] = False,
    limit: Limit = 20,
    output: Output = Format.TABLE,
) -> None:
    """List the executions, newest first, or show one in full."""
    session = session_of(context)
    with session.client() as client:
        if name:
            found = client.get_pipeline_run(name)
            session.show(output, found, lambda: pipeline_run_report(found))
            return

        def page(*, page_size: int, page_token: str) -> Page[PipelineRun]:
            of = "" if everything else pipeline_file(file)
            return client.list_pipeline_runs(page_size=page_size, page_token=page_token, file=of)

        listing = fetched(PipelineRun, page, limit=limit)
    session.show(output, listing, lambda: history_table(listing))


def compare(
    context: typer.Context,
    first: Execution,
    second: Execution,
    output: Output = Format.TABLE,
) -> None:
    """Show in what two executions differ: code, settings, plans, runs, outputs, timings."""
    session = session_of(context)
    with session.client() as client:
        found = differences(client.get_pipeline_run(first), client.get_pipeline_run(second))
    if output is Format.JSON:
        rows = {"differences": [attrs.asdict(each) for each in found]}
        session.write_json(json.dumps(rows, ensure_ascii=False, indent=2))
        return
    session.print(comparison_table(found))


def watch(
    context: typer.Context,
    name: Execution,
    verbose: Verbose = None,
    output: Output = Format.TABLE,
) -> None:
    """Follow EXECUTION to its end and print its report, with the exit codes of `run`."""
    session = session_of(context)
    with session.client() as client:
        found = client.get_pipeline_run(name)
        if not found.state.settled:
            found = follow_pipeline_run(session, client, found, verbose)
    report(session, found, output)


def logs(
    context: typer.Context,
    name: Execution,
    *,
    step: Annotated[str, typer.Argument(metavar="[STEP]", help="Only of this step.")] = "",
    follow: Annotated[
        bool, typer.Option("--follow", "-F", help="Go on until the execution is settled.")
    ] = False,
    output: Output = Format.TABLE,
) -> None:
    """Write what the steps of EXECUTION printed."""
    session = session_of(context)
    with session.client() as client:
        pieces = client.read_pipeline_run_log(name, step=step, follow=follow)
        steps = ((each, texts) for each, texts in groupby(pieces, key=lambda piece: piece[0]))
        if output is Format.JSON:
            whole = [{"step": each, "text": "".join(t for _, t in texts)} for each, texts in steps]
            session.write_json(json.dumps(whole, ensure_ascii=False, indent=2))
            return
        for each, texts in steps:
            if not step:
                session.say(f"--- {each}")
            for _, text in texts:
                session.write(text)


def cancel(
    context: typer.Context,
    name: Execution,
    *,
    step: Annotated[str, typer.Argument(metavar="[STEP]", help="Only this step.")] = "",
    grace: Annotated[
        float | None,
        typer.Option(min=0, metavar="SECONDS", help="Time that processes have to end. [10]"),
    ] = None,
    dry_run: DryRun = False,
    output: Output = Format.TABLE,
) -> None:
    """Ask EXECUTION, or one STEP of it, to stop, with the runs that it started."""
    session = session_of(context)
    with session.client() as client:
        found = client.cancel_pipeline_run(
            name, step=step, grace_seconds=grace, validate_only=dry_run
        )
    session.show(output, found, lambda: pipeline_run_report(found))


def _followed(
    session: Session,
    accepted: PipelineRun,
    output: Format,
    *,
    detach: bool,
    dry_run: bool,
    verbose: int | None,
) -> None:
    if dry_run or detach:
        session.show(output, accepted, lambda: pipeline_run_report(accepted))
        if detach and not dry_run:
            session.say(f"`agi pipeline watch {accepted.id}` follows it")
        return
    with session.client() as client:
        last = follow_pipeline_run(session, client, accepted, verbose)
    report(session, last, output)
