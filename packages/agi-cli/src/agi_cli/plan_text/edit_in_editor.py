"""Editing a plan in the person's own editor; a text that cannot be applied is never lost."""

from __future__ import annotations

import os
import shlex
import subprocess
import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from agi_cli.listing import fetched
from agi_cli.plan_text.reading import EditedText, edits_between, read
from agi_cli.plan_text.written import written
from agi_cluster.model.plan import Plan, PlannedPartition
from agi_cluster.model.plan_diff import PlanDiff
from agi_cluster.model.plan_edit import PlanEdit
from agi_env.errors import (
    AgiError,
    EtagMismatchError,
    PlanInvalidError,
    RefusedError,
    RequestInvalidError,
)
from agi_env.paths import private_directory, state_dir

if TYPE_CHECKING:
    from agi_cli.session import Session
    from agi_cluster.client.sync import Client

MOST = 20_000
"""Partitions that one text may have."""


def edit_in_editor(
    session: Session,
    client: Client,
    plan: Plan,
    slots: Sequence[int],
    *,
    kept: Path | None,
    dry_run: bool,
) -> Plan | None:
    """Have a person edit a plan as text, and apply it as one revision.

    Args:
        session: Where to say that a text was kept.
        client: Reaches the daemon.
        plan: The revision to begin with.
        slots: The slots whose partitions are in the text; empty: all.
        kept: A text that was kept before, to go on with.
        dry_run: Only check.

    Returns:
        The new revision; None where the text says what is.

    Raises:
        RequestInvalidError: There are too many partitions for one text, or no text at ``kept``.
        RefusedError: The editor cannot be started, or did not end well.
        AgiError: The text cannot be applied; it is kept, and the error says where.
    """
    partitions = _partitions(client, plan, slots)
    text = _kept_text(kept) if kept else written(plan, partitions, slots)
    file = kept or _new_file(plan, text)
    try:
        _open(file)
        after = _text(file)
        if after == text and kept is None:
            file.unlink()
            return None
        new = _applied(client, plan, read(after, plan, str(file)), dry_run=dry_run)
    except AgiError:
        session.say(f"the text is kept: {file}")
        session.say(f"`agi plans edit plans/{plan.id} --from {file}` goes on with it")
        raise
    if file.parent == _place() and not dry_run:
        file.unlink()
    return new


def _applied(client: Client, plan: Plan, edited: EditedText, *, dry_run: bool) -> Plan | None:
    """The revision that a text makes; one of an earlier revision is merged into the latest.

    What was changed on both sides is refused, until the person puts the latest etag into the text.
    """
    base = edited.revision or plan.revision
    name = f"plans/{plan.id}@{base}"
    before = fetched(PlannedPartition, client.list_plan_partitions, name).items
    edits = edits_between({each.id: each for each in before}, edited, name)
    if not edits:
        return None
    etag = edited.etag
    if base != plan.revision:
        _refuse_conflicts(client.diff_plans(name, plan.name, limit=10_000), edits, plan)
        etag = plan.etag
    return client.edit_plan(f"plans/{plan.id}", edits, etag=etag, validate_only=dry_run)


def _refuse_conflicts(diff: PlanDiff, edits: Sequence[PlanEdit], plan: Plan) -> None:
    theirs = {each.id for each in diff.moved}
    ours = {name for edit in edits for name in getattr(edit, "partitions", ())}
    both = sorted(theirs & ours)
    if both or diff.moved_count > len(diff.moved):
        raise EtagMismatchError(
            f"partitions of this text were changed by others since: {', '.join(both[:5])}",
            where=plan.name,
            remedy=f"To have it as in the text, write `etag {plan.etag}` into it",
            metadata={"changed": diff.words, "etag": plan.etag},
        )


def _partitions(client: Client, plan: Plan, slots: Sequence[int]) -> list[PlannedPartition]:
    shown = [slot for slot in plan.slots if not slots or slot.index in slots]
    count = sum(slot.partition_count for slot in shown)
    if count > MOST:
        raise RequestInvalidError(
            f"{count:,} partitions are too many for one text",
            where=plan.name,
            remedy=f"Choose slots with --slot, of at most {MOST:,} partitions together",
        )
    found = fetched(PlannedPartition, client.list_plan_partitions, plan.name).items
    return [each for each in found if not slots or each.slot in slots]


def _place() -> Path:
    return private_directory(state_dir() / "edits")


def _new_file(plan: Plan, text: str) -> Path:
    file = _place() / f"{plan.id}-{plan.revision}-{time.time_ns()}.txt"
    file.write_text(text, encoding="utf-8")
    return file


def _kept_text(file: Path) -> str:
    try:
        return file.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise RequestInvalidError(
            f"there is no text to go on with: {error}", where=str(file), remedy="Name the file"
        ) from error


def _text(file: Path) -> str:
    try:
        return file.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise PlanInvalidError(
            f"the text cannot be read: {error}", where=str(file), remedy="Save it as UTF-8"
        ) from error


def _open(file: Path) -> None:
    editor = os.environ.get("VISUAL") or os.environ.get("EDITOR") or "vi"
    try:
        # No deadline: it ends when the person has made up their mind.
        ended = subprocess.run([*shlex.split(editor), str(file)], check=False)
    except (OSError, ValueError) as error:
        raise RefusedError(
            f"the editor {editor!r} cannot be started: {error}",
            where="EDITOR",
            remedy="Set EDITOR to the command of an editor that is there",
        ) from error
    if ended.returncode:
        raise RefusedError(
            f"the editor ended with {ended.returncode}, so nothing was applied",
            where="EDITOR",
            remedy="Leave the editor without an error to apply the text",
        )
