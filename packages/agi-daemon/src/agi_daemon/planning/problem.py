"""The problem that the placement algorithms share, freed of ids, hosts and pins.

In the literature it is Q||Cmax: independent jobs, machines of given speeds, the end of the last
one to be made early. Jobs are the weights, heaviest first; machines are the slots by position.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence

import attrs


@attrs.frozen
class Problem:
    """Weights to be placed on slots of which some hold a load already.

    Attributes:
        weights: What may be placed freely, each above 0, heaviest first.
        speeds: The speed of each slot.
        base: The load that each slot has by pins, in units of weight.
    """

    weights: Sequence[float]
    speeds: Sequence[float]
    base: Sequence[float]

    def held(self, choice: Sequence[int]) -> list[list[int]]:
        """Positions of the weights on each slot, heaviest first."""
        held: list[list[int]] = [[] for _ in self.speeds]
        for item, slot in enumerate(choice):
            held[slot].append(item)
        return held

    def load(self, slot: int, items: Iterable[int]) -> float:
        """Load of a slot that holds these weights, whatever the order they came in."""
        return math.fsum([self.base[slot], *(self.weights[item] for item in items)])

    def finish(self, choice: Sequence[int]) -> float:
        """Time at which the last slot is done, in units of weight at speed 1."""
        loads = (self.load(slot, items) for slot, items in enumerate(self.held(choice)))
        return max(
            (load / speed for load, speed in zip(loads, self.speeds, strict=True)), default=0.0
        )
