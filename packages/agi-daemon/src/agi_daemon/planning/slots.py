"""The slot: the place on a host that a plan assigns partitions to."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Iterator

import attrs

from agi_env.errors import PlanInvalidError


@attrs.frozen
class Slot:
    """One place that works partitions off, one after another.

    Attributes:
        index: The number that assignments name it by; unique among the slots of a plan.
        host: The address of the host that it is on.
        speed: Units of weight it does in one unit of time, above 0; 1.0 is the reference. A slot
            that keeps several executors busy has that many times the speed of one.
        cores: The cores it leases while a run is on it, at least 1.
    """

    index: int
    host: str
    speed: float = 1.0
    cores: int = 1

    def __attrs_post_init__(self) -> None:
        if not (math.isfinite(self.speed) and self.speed > 0):
            raise PlanInvalidError(
                f"slot {self.index} has the speed {self.speed!r}",
                where=self.host,
                remedy="Give a finite speed above 0; 1.0 is the reference",
            )
        if self.cores < 1:
            raise PlanInvalidError(
                f"slot {self.index} has {self.cores} cores",
                where=self.host,
                remedy="Give every slot at least 1 core",
            )


def spread_over_hosts(slots: Iterable[Slot]) -> list[Slot]:
    """First the first slot of every host, then the second of every host, and so on.

    Placed in this order, a few partitions do not crowd on one host while others are idle.
    """
    return [slot for slot, _ in sorted(_ranked(slots), key=lambda ranked: ranked[1])]


def _ranked(slots: Iterable[Slot]) -> Iterator[tuple[Slot, int]]:
    seen: Counter[str] = Counter()
    for slot in sorted(slots, key=lambda slot: slot.index):
        yield slot, seen[slot.host]
        seen[slot.host] += 1
