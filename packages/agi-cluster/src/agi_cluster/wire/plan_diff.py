"""Differences of plans."""

from __future__ import annotations

from agi_cluster.api.v1 import plans_pb2 as pb
from agi_cluster.model.plan_diff import MovedPartition, PlanDiff, ReweightedPartition


def diff_to_wire(diff: PlanDiff) -> pb.PlanDiff:
    """The difference as a message."""
    return pb.PlanDiff(
        before=diff.before,
        after=diff.after,
        moved=[_moved_to_wire(each) for each in diff.moved],
        moved_count=diff.moved_count,
        added=diff.added,
        added_count=diff.added_count,
        removed=diff.removed,
        removed_count=diff.removed_count,
        reweighted=[
            pb.ReweightedPartition(id=each.id, before=each.before, after=each.after)
            for each in diff.reweighted
        ],
        reweighted_count=diff.reweighted_count,
        finish_before=diff.finish_before,
        finish_after=diff.finish_after,
    )


def diff_from_wire(diff: pb.PlanDiff) -> PlanDiff:
    """The difference in a message."""
    return PlanDiff(
        before=diff.before,
        after=diff.after,
        moved=tuple(_moved_from_wire(each) for each in diff.moved),
        moved_count=diff.moved_count,
        added=tuple(diff.added),
        added_count=diff.added_count,
        removed=tuple(diff.removed),
        removed_count=diff.removed_count,
        reweighted=tuple(
            ReweightedPartition(id=each.id, before=each.before, after=each.after)
            for each in diff.reweighted
        ),
        reweighted_count=diff.reweighted_count,
        finish_before=diff.finish_before,
        finish_after=diff.finish_after,
    )


def _moved_to_wire(each: MovedPartition) -> pb.MovedPartition:
    return pb.MovedPartition(
        id=each.id,
        weight=each.weight,
        before=each.before,
        after=each.after,
        pinned_before=each.pinned_before,
        pinned_after=each.pinned_after,
    )


def _moved_from_wire(each: pb.MovedPartition) -> MovedPartition:
    return MovedPartition(
        id=each.id,
        weight=each.weight,
        before=each.before,
        after=each.after,
        pinned_before=each.pinned_before,
        pinned_after=each.pinned_after,
    )
