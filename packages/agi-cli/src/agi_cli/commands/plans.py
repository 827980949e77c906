"""``agi plans``: look at distribution plans, and list what there is of them."""

from __future__ import annotations

from typing import Annotated

import typer

from agi_cli.arguments import app_name
from agi_cli.commands import plan_edits
from agi_cli.completion import apps
from agi_cli.listing import Listing, fetched
from agi_cli.options import Format, Limit, Output, PlanName
from agi_cli.session import session_of
from agi_cli.views.plan import PARTITIONS_SHOWN, plan_table, plan_view, planned_table
from agi_cli.views.plan_changes import diff_view, findings_view, revision_table
from agi_cluster.model.page import Page
from agi_cluster.model.plan import Plan, PlanFinding, PlannedPartition

app = typer.Typer(rich_markup_mode=None, add_completion=False)


@app.callback()
def plans() -> None:
    """Look at distribution plans and edit them."""


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
    session.show(output, listing, lambda: plan_table(listing, filtered=bool(name)))


@app.command()
def show(
    context: typer.Context,
    name: PlanName,
    whole: Annotated[bool, typer.Option("--all", help="Show every slot and partition.")] = False,
    output: Output = Format.TABLE,
) -> None:
    """Show PLAN as a tree: host, slot, partitions; a very large one as a chart of its loads."""
    session = session_of(context)
    with session.client() as client:
        plan = client.get_plan(name)
        most = None if whole else PARTITIONS_SHOWN
        few = whole or plan.partition_count <= PARTITIONS_SHOWN
        found = (
            fetched(PlannedPartition, client.list_plan_partitions, plan.name, limit=most).items
            if few and output is not Format.JSON
            else ()
        )
    session.show(output, plan, lambda: plan_view(plan, found, whole=whole))


@app.command()
def partitions(
    context: typer.Context, name: PlanName, limit: Limit = 1000, output: Output = Format.TABLE
) -> None:
    """List the partitions of PLAN, each with its slot."""
    session = session_of(context)
    with session.client() as client:
        listing = fetched(PlannedPartition, client.list_plan_partitions, name, limit=limit)
    session.show(output, listing, lambda: planned_table(listing))


@app.command()
def revisions(
    context: typer.Context, name: PlanName, limit: Limit = 20, output: Output = Format.TABLE
) -> None:
    """List the revisions of PLAN, newest first, each with what made it."""
    session = session_of(context)
    with session.client() as client:
        listing: Listing[Plan] = fetched(Plan, client.list_plan_revisions, name, limit=limit)
    session.show(output, listing, lambda: revision_table(listing))


@app.command()
def diff(
    context: typer.Context,
    before: PlanName,
    after: Annotated[
        str,
        typer.Argument(metavar="[LATER]", help="Another revision or plan. [the latest revision]"),
    ] = "",
    limit: Limit = 20,
    output: Output = Format.TABLE,
) -> None:
    """Show what a later revision has otherwise than PLAN; also of two different plans."""
    session = session_of(context)
    with session.client() as client:
        later = after or before.partition("@")[0]
        found = client.diff_plans(before, later, limit=limit)
    session.show(output, found, lambda: diff_view(found))


@app.command()
def lint(context: typer.Context, name: PlanName, output: Output = Format.TABLE) -> None:
    """Say what is doubtful about PLAN now, each with an edit that would mend it."""
    session = session_of(context)
    with session.client() as client:
        found = Listing(PlanFinding, client.lint_plan(name))
    session.show(output, found, lambda: findings_view(found))


for command in plan_edits.COMMANDS:
    app.command(name=command.__name__)(command)
