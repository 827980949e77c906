"""The outline of a plan: all that lint looks at, whatever the number of its partitions."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property

import attrs

from agi_cluster.model.plan import PlanSlot, slot_names


@attrs.frozen(kw_only=True)
class Outline:
    """What there is to know about one plan revision and about what became of its surroundings.

    Attributes:
        name: How commands name the plan.
        app: Its app.
        slots: Its slots with what is on them.
        partitions: How many partitions it has.
        pinned: How many of them are pinned.
        weight: The sum of their weights.
        heaviest_id: The id of the heaviest one.
        heaviest: Its weight.
        lower_bound: A time before which no placement can finish; 0.0 when it is not known.
        drained: Hosts that get no work any more.
        changes: What is otherwise in the settings than when the plan was made, field by field.
    """

    name: str = "PLAN"
    app: str = "APP"
    slots: Sequence[PlanSlot]
    partitions: int
    pinned: int = 0
    weight: float
    heaviest_id: str = ""
    heaviest: float = 0.0
    lower_bound: float = 0.0
    drained: frozenset[str] = frozenset()
    changes: Sequence[str] = ()

    @cached_property
    def usable(self) -> list[PlanSlot]:
        """Slots on hosts that are not drained."""
        return [slot for slot in self.slots if slot.host not in self.drained]

    @cached_property
    def executors(self) -> int:
        """How many partitions the usable slots can work at side by side."""
        return sum(slot.executors for slot in self.usable)

    @cached_property
    def finish(self) -> float:
        """When the last slot is done, in units of weight at speed 1."""
        return max((slot.predicted_finish for slot in self.slots), default=0.0)

    @cached_property
    def ideal(self) -> float:
        """Finish of the usable slots if partitions could be cut at will."""
        speed = sum(slot.speed for slot in self.usable)
        return self.weight / speed if speed else 0.0

    @cached_property
    def names(self) -> dict[int, str]:
        """``host/rank`` for every slot, by its index."""
        return slot_names((slot.index, slot.host) for slot in self.slots)
