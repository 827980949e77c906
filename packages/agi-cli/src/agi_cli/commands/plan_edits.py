"""The commands of ``agi plans`` that make a new revision."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Annotated, Any

import typer

from agi_cli.options import DryRun, Format, Output, PlanName
from agi_cli.plan_text.edit_in_editor import edit_in_editor
from agi_cli.session import Session, session_of
from agi_cli.views.plan_changes import revised_view
from agi_cluster.client.sync import Client
from agi_cluster.model.plan import Plan
from agi_cluster.model.plan_edit import Move, Pin, PlanEdit, Rebalance, Swap, Undo, Unpin
from agi_env.errors import PlanInvalidError, RequestInvalidError

Ids = Annotated[
    list[str], typer.Argument(metavar="ID...", help="Ids of partitions, exactly as they are.")
]
PlanEtag = Annotated[
    str,
    typer.Option(
        metavar="ETAG", help="Refuse if the plan was edited since it had this etag. [as it is now]"
    ),
]
Make = Callable[[Plan], Sequence[PlanEdit]]


def move(
    context: typer.Context,
    name: PlanName,
    ids: Ids,
    *,
    to: Annotated[
        str,
        typer.Option("--to", metavar="SLOT", help="Its number, or HOST/RANK; see `show`."),
    ],
    etag: PlanEtag = "",
    dry_run: DryRun = False,
    output: Output = Format.TABLE,
) -> None:
    """Put partitions of PLAN onto another slot."""

    def make(plan: Plan) -> Sequence[PlanEdit]:
        return [Move(partitions=tuple(ids), slot=slot_named(plan, to))]

    _edit(session_of(context), name, make, etag=etag, dry_run=dry_run, output=output)


def swap(
    context: typer.Context,
    name: PlanName,
    first: Annotated[str, typer.Argument(metavar="ID", help="A partition.")],
    second: Annotated[str, typer.Argument(metavar="ID", help="Another one.")],
    *,
    etag: PlanEtag = "",
    dry_run: DryRun = False,
    output: Output = Format.TABLE,
) -> None:
    """Exchange the slots of two partitions of PLAN."""
    edits = [Swap(first=first, second=second)]
    _edit(session_of(context), name, lambda _: edits, etag=etag, dry_run=dry_run, output=output)


def pin(
    context: typer.Context,
    name: PlanName,
    ids: Ids,
    *,
    etag: PlanEtag = "",
    dry_run: DryRun = False,
    output: Output = Format.TABLE,
) -> None:
    """Pin partitions of PLAN to the slots that they are on: a rebalance leaves them there."""
    edits = [Pin(partitions=tuple(ids))]
    _edit(session_of(context), name, lambda _: edits, etag=etag, dry_run=dry_run, output=output)


def unpin(
    context: typer.Context,
    name: PlanName,
    ids: Annotated[
        list[str] | None, typer.Argument(metavar="[ID...]", help="Ids of partitions.")
    ] = None,
    *,
    every: Annotated[bool, typer.Option("--all", help="Unpin all that are pinned.")] = False,
    etag: PlanEtag = "",
    dry_run: DryRun = False,
    output: Output = Format.TABLE,
) -> None:
    """Let partitions of PLAN be moved by a rebalance again."""
    if bool(ids) == every:
        raise RequestInvalidError(
            "it is not said what to unpin", where="ID", remedy="Give ids, or --all"
        )
    edits = [Unpin(partitions=tuple(ids or ()))]
    _edit(session_of(context), name, lambda _: edits, etag=etag, dry_run=dry_run, output=output)


def rebalance(
    context: typer.Context,
    name: PlanName,
    *,
    without: Annotated[
        list[str] | None,
        typer.Option(metavar="HOST", help="A host that gets nothing; may be repeated."),
    ] = None,
    etag: PlanEtag = "",
    dry_run: DryRun = False,
    output: Output = Format.TABLE,
) -> None:
    """Place anew what is not pinned in PLAN."""
    edits = [Rebalance(without=tuple(without or ()))]
    _edit(session_of(context), name, lambda _: edits, etag=etag, dry_run=dry_run, output=output)


def undo(
    context: typer.Context,
    name: PlanName,
    *,
    to: Annotated[
        int,
        typer.Option("--to", min=0, metavar="REVISION", help="Go back to this one. [one step]"),
    ] = 0,
    etag: PlanEtag = "",
    dry_run: DryRun = False,
    output: Output = Format.TABLE,
) -> None:
    """Go back to an earlier revision of PLAN, by a new one that is the same."""
    edits = [Undo(revision=to)]
    _edit(session_of(context), name, lambda _: edits, etag=etag, dry_run=dry_run, output=output)


def edit(
    context: typer.Context,
    name: PlanName,
    *,
    slots: Annotated[
        list[str] | None,
        typer.Option("--slot", metavar="SLOT", help="Only what is on this slot; may be repeated."),
    ] = None,
    kept: Annotated[
        Path | None,
        typer.Option("--from", metavar="FILE", help="Go on with a text that was kept."),
    ] = None,
    dry_run: DryRun = False,
    output: Output = Format.TABLE,
) -> None:
    """Open PLAN as a text file in $EDITOR, check it, and apply it as one revision.

    A line under another slot moves its partition, a "*" before its id pins it. A text that cannot
    be applied is kept and named.
    """
    session = session_of(context)
    with session.client() as client:
        plan = client.get_plan(name)
        chosen = [slot_named(plan, slot) for slot in slots or ()]
        new = edit_in_editor(session, client, plan, chosen, kept=kept, dry_run=dry_run)
        if new is None:
            session.say("nothing was changed")
            return
        _show(session, client, plan, new, dry_run=dry_run, output=output)


COMMANDS: Sequence[Callable[..., None]] = (move, swap, pin, unpin, rebalance, undo, edit)


def slot_named(plan: Plan, text: str) -> int:
    """The index of a slot that a person named by its number or as ``HOST/RANK``.

    Raises:
        PlanInvalidError: The plan has no such slot.
    """
    names = plan.slot_names
    found = [index for index, name in names.items() if text in (str(index), name)]
    if not found:
        raise PlanInvalidError(
            f"the plan has no slot {text!r}",
            where=plan.name,
            remedy=f"Give a number, or a name such as {next(iter(names.values()), 'HOST/0')}",
        )
    return found[0]


def _edit(
    session: Session, name: str, make: Make, *, etag: str, dry_run: bool, output: Format
) -> None:
    with session.client() as client:
        plan = client.get_plan(name)
        new = client.edit_plan(name, make(plan), etag=etag or plan.etag, validate_only=dry_run)
        _show(session, client, plan, new, dry_run=dry_run, output=output)


def _show(
    session: Session, client: Client, old: Plan, new: Plan, *, dry_run: bool, output: Format
) -> None:
    diff: Any = None
    if output is not Format.JSON and not dry_run:
        diff = client.diff_plans(old.name, new.name, limit=20)
    session.show(output, new, lambda: revised_view(old, new, diff))
