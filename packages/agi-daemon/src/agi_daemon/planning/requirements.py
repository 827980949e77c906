"""What a placement is asked to meet, and whether that can be met at all."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from types import MappingProxyType

import attrs

from agi_daemon.planning.slots import Slot
from agi_env.errors import PlanInvalidError

NO_PINS: Mapping[int, int] = MappingProxyType({})


@attrs.frozen
class Requirements:
    """The arguments of a placement, as they were given."""

    weights: Sequence[float]
    slots: Sequence[Slot]
    pins: Mapping[int, int]
    excluded: frozenset[str]

    def check(self) -> list[Slot]:
        """Slots that partitions may be placed on.

        Raises:
            PlanInvalidError: The arguments cannot be met; it says which and why.
        """
        if len({slot.index for slot in self.slots}) < len(self.slots):
            raise PlanInvalidError("two slots have the same index")
        usable = [slot for slot in self.slots if slot.host not in self.excluded]
        if not len(self.weights):
            return usable
        if not usable:
            raise PlanInvalidError(
                f"no slot is left for {len(self.weights)} partitions",
                remedy="Select a host more, or exclude one less",
            )
        self._check_weights(min(slot.speed for slot in usable))
        self._check_pins({slot.index: slot for slot in self.slots})
        return usable

    def _check_weights(self, slowest: float) -> None:
        total = sum(self.weights)
        if min(self.weights) < 0 or math.isnan(total):
            self._refuse_weight()
        if not math.isfinite(total / min(slowest, 1.0)):
            raise PlanInvalidError(
                "the weights add up to more than a number can hold",
                remedy="Give weights in a larger unit; only their ratios matter",
            )

    def _refuse_weight(self) -> None:
        for partition, weight in enumerate(self.weights):
            if not weight >= 0:
                raise PlanInvalidError(
                    f"partition {partition} has the weight {weight!r}",
                    remedy="Give every partition a finite weight, 0 or above",
                )

    def _check_pins(self, slots: Mapping[int, Slot]) -> None:
        for partition, index in self.pins.items():
            if not 0 <= partition < len(self.weights):
                raise PlanInvalidError(
                    f"a pin names partition {partition} of {len(self.weights)}",
                    remedy="Remove that pin",
                )
            if index not in slots:
                raise PlanInvalidError(
                    f"partition {partition} is pinned to slot {index}, which does not exist",
                    remedy="Pin it to another slot, or unpin it",
                )
            if slots[index].host in self.excluded:
                raise PlanInvalidError(
                    f"partition {partition} is pinned to slot {index} on an excluded host",
                    where=slots[index].host,
                    remedy="Unpin it, or do not exclude that host",
                )
