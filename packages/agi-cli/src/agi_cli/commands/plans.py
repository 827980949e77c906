"""``agi plans``: look at distribution plans."""

from __future__ import annotations

from typing import Annotated

import typer

from agi_cli.arguments import app_name
from agi_cli.completion import apps
from agi_cli.listing import fetched
from agi_cli.options import Format, Limit, Output, PlanName
from agi_cli.session import session_of
from agi_cli.views.plan import plan_table, plan_view, planned_table
from agi_cluster.model.page import Page
from agi_cluster.model.plan import Plan, PlannedPartition

app = typer.Typer(rich_markup_mode=None, add_completion=False)


@app.callback()
def plans() -> None:
    """Look at distribution plans."""


@app.command("list")
def list_(
    context: typer.Context,
    name: Annotated[
        str, typer.Option("--app", metavar="APP", help="Only of this app.", autocompletion=apps)
    ] = "",
    limit: Limit = 20,
    output: Output = Format.TABLE,
) -> None:
    """List the plans, newest first."""
    session = session_of(context)
    with session.client() as client:

        def page(*, page_size: int, page_token: str) -> Page[Plan]:
            return client.list_plans(page_size=page_size, page_token=page_token, app=app_name(name))

        listing = fetched(Plan, page, limit=limit)
    session.show(output, listing, lambda: plan_table(listing))


@app.command()
def show(
    context: typer.Context,
    name: PlanName,
    whole: Annotated[bool, typer.Option("--all", help="Show every slot and partition.")] = False,
    output: Output = Format.TABLE,
) -> None:
    """Show PLAN as a tree: host, slot, partitions."""
    session = session_of(context)
    with session.client() as client:
        plan = client.get_plan(name)
        partitions = fetched(PlannedPartition, client.list_plan_partitions, plan.name).items
    session.show(output, plan, lambda: plan_view(plan, partitions, whole=whole))


@app.command()
def partitions(
    context: typer.Context, name: PlanName, limit: Limit = 1000, output: Output = Format.TABLE
) -> None:
    """List the partitions of PLAN, each with its slot."""
    session = session_of(context)
    with session.client() as client:
        listing = fetched(PlannedPartition, client.list_plan_partitions, name, limit=limit)
    session.show(output, listing, lambda: planned_table(listing))
