"""The view of a plan that lint and differences look at."""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import cached_property

import attrs

from agi_daemon.planning.slots import Slot, slot_names


@attrs.frozen
class PlanView:
    """What there is to know about one plan revision and about what became of its surroundings.

    Attributes:
        ids: The id of every partition; no id occurs twice.
        weights: Their weights, in the same order.
        slots: The slots of the plan's selection.
        assignment: The index of the slot of every partition, in the same order.
        lower_bound: A time before which no placement can finish; 0.0 when it is not known.
        drained: Hosts that get no work any more.
        settings_digest: The settings that the plan was made from.
        current_settings_digest: The settings as they are now; empty when they are not known.
    """

    ids: Sequence[str]
    weights: Sequence[float]
    slots: Sequence[Slot]
    assignment: Sequence[int]
    lower_bound: float = 0.0
    drained: frozenset[str] = frozenset()
    settings_digest: str = ""
    current_settings_digest: str = ""

    @cached_property
    def usable(self) -> list[Slot]:
        """Slots on hosts that are not drained."""
        return [slot for slot in self.slots if slot.host not in self.drained]

    @cached_property
    def held(self) -> dict[int, list[float]]:
        """Weights on each slot, by its index; every slot has an entry."""
        held: dict[int, list[float]] = {slot.index: [] for slot in self.slots}
        for index, weight in zip(self.assignment, self.weights, strict=True):
            held[index].append(weight)
        return held

    @cached_property
    def finish(self) -> float:
        """When the last slot is done, in units of weight at speed 1."""
        ends = (math.fsum(self.held[slot.index]) / slot.speed for slot in self.slots)
        return max(ends, default=0.0)

    @cached_property
    def ideal(self) -> float:
        """Finish of the usable slots if partitions could be cut at will."""
        speed = sum(slot.speed for slot in self.usable)
        return sum(self.weights) / speed if speed else 0.0

    @cached_property
    def names(self) -> dict[int, str]:
        """``host/n`` for every slot, by its index."""
        return slot_names(self.slots)
