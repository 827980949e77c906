"""``agi distribute``: which partition goes to which slot."""

from __future__ import annotations

from typing import Annotated

import attrs
import typer

from agi_cli.arguments import app_args, app_reference, mode_of, selection_of, slots_of
from agi_cli.completion import plans
from agi_cli.listing import fetched
from agi_cli.options import (
    App,
    AppArgs,
    CoresPerSlot,
    DryRun,
    Format,
    ModeNumber,
    NoInstall,
    Output,
    Scheduler,
    Workers,
)
from agi_cli.session import Session, session_of
from agi_cli.views.plan import PARTITIONS_SHOWN, plan_view, what_if_view
from agi_cluster.model.plan import PlannedPartition
from agi_cluster.model.requests import CreatePlan
from agi_env.foreign_text import printable_lines

app = typer.Typer(rich_markup_mode=None, add_completion=False)


@app.command()
def distribute(
    context: typer.Context,
    name: App,
    *,
    workers: Workers = None,
    scheduler: Scheduler = "",
    cores_per_slot: CoresPerSlot = 0,
    mode: ModeNumber = None,
    args: AppArgs = None,
    without: Annotated[
        list[str] | None,
        typer.Option(metavar="HOST", help="What if this host were left out? May be repeated."),
    ] = None,
    slots: Annotated[
        list[str] | None,
        typer.Option(metavar="HOST=N", help="What if this host had N slots? May be repeated."),
    ] = None,
    rebase: Annotated[
        str,
        typer.Option(
            metavar="PLAN", help="Apply the pins and moves of PLAN.", autocompletion=plans
        ),
    ] = "",
    no_install: NoInstall = False,
    dry_run: DryRun = False,
    whole: Annotated[bool, typer.Option("--all", help="Show every slot and partition.")] = False,
    output: Output = Format.TABLE,
) -> None:
    """Have APP name its partitions, place them on the slots, and show the plan.

    The plan is kept: `agi run APP --plan NAME` executes exactly it. With --without or --slots
    nothing is kept or installed: they only tell the predicted finish.
    """
    session = session_of(context)
    request = CreatePlan(
        app=app_reference(name),
        selection=selection_of(workers, scheduler, cores_per_slot),
        mode=mode_of(mode),
        args=app_args(args),
        no_install=no_install,
        rebase=rebase,
    )
    changes = slots_of(slots, "--slots")
    if without or changes:
        _what_if(session, request, tuple(without or ()), changes, output)
        return
    with session.client() as client:
        plan = client.create_plan(request, validate_only=dry_run)
        if output is not Format.JSON:
            _say_printed(session, plan.printed)
        if dry_run or output is Format.JSON:
            session.show(output, plan, lambda: plan_view(plan, ()))
            return
        few = whole or plan.partition_count <= PARTITIONS_SHOWN
        found = fetched(PlannedPartition, client.list_plan_partitions, plan.name) if few else None
    session.print(plan_view(plan, found.items if found else (), whole=whole))


def _say_printed(session: Session, printed: str) -> None:
    """Tell what the app printed while it named its partitions, beside the result."""
    for line in printed.splitlines():
        session.say(printable_lines(f"partitions(): {line}"))


def _what_if(
    session: Session,
    request: CreatePlan,
    without: tuple[str, ...],
    slots: dict[str, int],
    output: Format,
) -> None:
    """Show the plan that there would be, beside the one as it is; nothing is stored."""
    asked = attrs.evolve(request, no_install=True)
    changed = attrs.evolve(asked, without=without, slots=slots)
    with session.client() as client:
        now = client.create_plan(asked, validate_only=True)
        then = client.create_plan(changed, validate_only=True)
    session.show(output, then, lambda: what_if_view(now, then))
