"""What a later plan has otherwise than an earlier one, by the ids of the partitions."""

from __future__ import annotations

from attrs import frozen


@frozen(kw_only=True)
class MovedPartition:
    """A partition that another slot has in the later plan, or that was pinned or unpinned.

    Slots are named ``host/rank``.
    """

    id: str
    weight: float
    before: str
    after: str
    pinned_before: bool = False
    pinned_after: bool = False


@frozen(kw_only=True)
class ReweightedPartition:
    """A partition whose weight is another one in the later plan."""

    id: str
    before: float
    after: float


@frozen(kw_only=True)
class PlanDiff:
    """The difference of two revisions; the counts are whole, the lists may be cut."""

    before: str
    after: str
    moved: tuple[MovedPartition, ...] = ()
    added: tuple[str, ...] = ()
    removed: tuple[str, ...] = ()
    reweighted: tuple[ReweightedPartition, ...] = ()
    moved_count: int = 0
    added_count: int = 0
    removed_count: int = 0
    reweighted_count: int = 0
    finish_before: float = 0.0
    finish_after: float = 0.0

    def __bool__(self) -> bool:
        """Whether there is any difference."""
        return bool(
            self.moved_count or self.added_count or self.removed_count or self.reweighted_count
        )

    @property
    def words(self) -> str:
        """The difference in a line: how many of each kind, and the first that were moved."""
        counts = (
            (self.moved_count, "moved or pinned"),
            (self.added_count, "added"),
            (self.removed_count, "removed"),
            (self.reweighted_count, "of other weight"),
        )
        said = ", ".join(f"{count:,} {what}" for count, what in counts if count)
        first = "; ".join(_moved(each) for each in self.moved[:3])
        return (f"{said}: {first}" if first else said) or "nothing"


def _moved(each: MovedPartition) -> str:
    if each.before != each.after:
        return f"{each.id} {each.before} → {each.after}"
    return f"{each.id} {'pinned' if each.pinned_after else 'unpinned'}"
