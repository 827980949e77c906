"""The difference between two plans, by the ids of their partitions."""

from __future__ import annotations

import sqlite3

from agi_cluster.model.plan import Plan
from agi_cluster.model.plan_diff import MovedPartition, PlanDiff, ReweightedPartition
from agi_daemon.planning import partition_store, place_store
from agi_daemon.planning.plan_view import PlanView
from agi_env.runtime.partition_block import BLOCK

_Change = tuple[int, tuple[int, bool], tuple[int, bool]]
"""Position, slot and pin before, slot and pin after."""


def compare_revisions(
    connection: sqlite3.Connection, before: Plan, after: Plan, limit: int
) -> PlanDiff:
    """Compare two revisions of one plan; only blocks that were written between them are read."""
    earlier, later = sorted((before.revision, after.revision))
    changes: list[_Change] = []
    for number in place_store.changed_between(connection, before.id, earlier, later):
        old = place_store.block(connection, before.id, before.revision, number)
        new = place_store.block(connection, before.id, after.revision, number)
        changes += [
            (number * BLOCK + offset, (source, offset in old.pins), (target, offset in new.pins))
            for offset, (source, target) in enumerate(zip(old.slots, new.slots, strict=True))
            if source != target or (offset in old.pins) != (offset in new.pins)
        ]
    return PlanDiff(
        before=before.name,
        after=after.name,
        moved=_moved(connection, after, changes[:limit]),
        moved_count=len(changes),
        finish_before=before.predicted_finish,
        finish_after=after.predicted_finish,
    )


def compare(before: PlanView, after: PlanView, limit: int) -> PlanDiff:
    """Compare two plans, of the same selection or of different ones.

    A slot is the same in both if it has the same rank on the same host, so a host that joins or
    leaves moves no partition of the others. The order of partitions does not matter.
    """
    earlier = {name: position for position, name in enumerate(before.ids)}
    both = [(earlier[name], new) for new, name in enumerate(after.ids) if name in earlier]
    later = set(after.ids)
    moved = [pair for pair in both if before.place(pair[0]) != after.place(pair[1])]
    heavier = [pair for pair in both if before.weights[pair[0]] != after.weights[pair[1]]]
    added = [name for name in after.ids if name not in earlier]
    removed = [name for name in before.ids if name not in later]
    return PlanDiff(
        before=before.name,
        after=after.name,
        moved=tuple(_other_place(before, after, *pair) for pair in moved[:limit]),
        moved_count=len(moved),
        added=tuple(added[:limit]),
        added_count=len(added),
        removed=tuple(removed[:limit]),
        removed_count=len(removed),
        reweighted=tuple(
            ReweightedPartition(
                id=after.ids[new], before=before.weights[old], after=after.weights[new]
            )
            for old, new in heavier[:limit]
        ),
        reweighted_count=len(heavier),
        finish_before=before.finish,
        finish_after=after.finish,
    )


def _moved(
    connection: sqlite3.Connection, plan: Plan, changes: list[_Change]
) -> tuple[MovedPartition, ...]:
    positions = [position for position, _, _ in changes]
    ids = partition_store.named_at(connection, plan.id, positions)
    blocks = {position // BLOCK for position in positions}
    weights = {block: partition_store.block_weights(connection, plan.id, block) for block in blocks}
    names = plan.slot_names
    return tuple(
        MovedPartition(
            id=ids[position],
            weight=weights[position // BLOCK][position % BLOCK],
            before=names[source],
            after=names[target],
            pinned_before=was,
            pinned_after=pinned,
        )
        for position, (source, was), (target, pinned) in changes
    )


def _other_place(before: PlanView, after: PlanView, old: int, new: int) -> MovedPartition:
    (source, was), (target, pinned) = before.place(old), after.place(new)
    return MovedPartition(
        id=after.ids[new],
        weight=after.weights[new],
        before=source,
        after=target,
        pinned_before=was,
        pinned_after=pinned,
    )
