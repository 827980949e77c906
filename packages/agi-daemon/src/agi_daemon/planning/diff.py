"""The difference between two plans, by the ids of their partitions."""

from __future__ import annotations

import attrs

from agi_daemon.planning.plan_view import PlanView


@attrs.frozen
class Moved:
    """A partition that another slot has in the later plan; slots are named ``host/n``."""

    id: str
    weight: float
    before: str
    after: str


@attrs.frozen
class Reweighted:
    """A partition whose weight is another one in the later plan."""

    id: str
    before: float
    after: float


@attrs.frozen
class PlanDiff:
    """What a later plan has otherwise than an earlier one, each in the order of its plan.

    Attributes:
        moved: Partitions of both plans that changed their slot.
        added: Ids that only the later plan has.
        removed: Ids that only the earlier plan had.
        reweighted: Partitions of both plans that changed their weight.
        finish_before: When the earlier plan's last slot is done.
        finish_after: When the later plan's last slot is done.
    """

    moved: tuple[Moved, ...]
    added: tuple[str, ...]
    removed: tuple[str, ...]
    reweighted: tuple[Reweighted, ...]
    finish_before: float
    finish_after: float

    def __bool__(self) -> bool:
        """Whether there is any difference."""
        return bool(self.moved or self.added or self.removed or self.reweighted)


def compare(before: PlanView, after: PlanView) -> PlanDiff:
    """Compare two plans, of the same selection or of different ones.

    A slot is the same in both if it has the same rank on the same host, so a host that joins or
    leaves moves no partition of the others. The order of partitions does not matter.
    """
    earlier = dict(zip(before.ids, range(len(before.ids)), strict=True))
    both = [(earlier[id_], new) for new, id_ in enumerate(after.ids) if id_ in earlier]
    later = set(after.ids)
    return PlanDiff(
        moved=_moved(before, after, both),
        added=tuple(id_ for id_ in after.ids if id_ not in earlier),
        removed=tuple(id_ for id_ in before.ids if id_ not in later),
        reweighted=tuple(
            Reweighted(after.ids[new], before.weights[old], after.weights[new])
            for old, new in both
            if before.weights[old] != after.weights[new]
        ),
        finish_before=before.finish,
        finish_after=after.finish,
    )


def _moved(before: PlanView, after: PlanView, both: list[tuple[int, int]]) -> tuple[Moved, ...]:
    places = ((before.assignment[old], after.assignment[new], new) for old, new in both)
    return tuple(
        Moved(after.ids[new], after.weights[new], before.names[source], after.names[target])
        for source, target, new in places
        if before.names[source] != after.names[target]
    )
