"""``agi distribute``: which partition goes to which slot."""

from __future__ import annotations

from typing import Annotated

import typer

from agi_cli.arguments import app_args, app_reference, mode_of, selection_of
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
from agi_cli.session import session_of
from agi_cli.views.plan import plan_view
from agi_cluster.model.plan import PlannedPartition
from agi_cluster.model.requests import CreatePlan

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
    no_install: NoInstall = False,
    dry_run: DryRun = False,
    whole: Annotated[bool, typer.Option("--all", help="Show every slot and partition.")] = False,
    output: Output = Format.TABLE,
) -> None:
    """Have APP name its partitions, place them on the slots, and show the plan.

    The plan is kept: `agi run APP --plan NAME` executes exactly it.
    """
    session = session_of(context)
    request = CreatePlan(
        app=app_reference(name),
        selection=selection_of(workers, scheduler, cores_per_slot),
        mode=mode_of(mode),
        args=app_args(args),
        no_install=no_install,
    )
    with session.client() as client:
        plan = client.create_plan(request, validate_only=dry_run)
        if dry_run or output is Format.JSON:
            session.show(output, plan, lambda: plan_view(plan, ()))
            return
        partitions = fetched(PlannedPartition, client.list_plan_partitions, plan.name).items
    session.print(plan_view(plan, partitions, whole=whole))
