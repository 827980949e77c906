"""Placement: which slot each partition goes to, and how good that is."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from heapq import heapify, heapreplace

import attrs

from agi_daemon.planning.balancing import balance
from agi_daemon.planning.bounds import lower_bound
from agi_daemon.planning.problem import Problem
from agi_daemon.planning.requirements import NO_PINS, Requirements
from agi_daemon.planning.slots import Slot, spread_over_hosts

UNDECIDED = -1


@attrs.frozen
class Placement:
    """A placement and its quality. Times are in units of weight at speed 1.

    Attributes:
        assignment: The index of the slot of every partition, in the order of the weights.
        loads: The weight on each slot, in the order of the slots.
        finish: When the last slot is done.
        lower_bound: A time before which no placement of these weights, with these pins and
            exclusions, can finish.
    """

    assignment: Sequence[int]
    loads: tuple[float, ...]
    finish: float
    lower_bound: float

    @property
    def counts(self) -> Mapping[int, int]:
        """How many partitions each slot has, by its index; slots that have none are left out."""
        return Counter(self.assignment)

    @property
    def gap(self) -> float:
        """How far the finish is above the lower bound, relative; 0.0 is proven best."""
        return self.finish / self.lower_bound - 1 if self.lower_bound else 0.0


def place(
    weights: Sequence[float],
    slots: Sequence[Slot],
    pins: Mapping[int, int] = NO_PINS,
    excluded: frozenset[str] = frozenset(),
) -> Placement:
    """Choose a slot for every partition so that the last slot is done early.

    The same arguments give the same placement everywhere. It does not finish later than
    longest-first placement (than that in rounds, for very many partitions on slots of many speeds),
    and is improved on where that leaves a gap. Where slots are equally good, hosts take turns, in
    the order of the indexes of their slots.

    Args:
        weights: The weight of every partition, 0 or above; 0 means negligible or unknown, and
            such partitions are spread by number.
        slots: Where partitions may go.
        pins: By position of a partition the index of the slot that it must be on.
        excluded: Hosts whose slots get nothing.

    Raises:
        PlanInvalidError: A weight is negative or no number, all together are more than a float
            holds, a pin names what is not there or is excluded, two slots have one index, or no
            slot is left.
    """
    usable = spread_over_hosts(Requirements(weights, slots, pins, excluded).check())
    position = {slot.index: position for position, slot in enumerate(usable)}
    chosen = [UNDECIDED] * len(weights)
    for partition, index in pins.items():
        chosen[partition] = position[index]
    bound = _place_weighty(weights, usable, pins, chosen)
    if UNDECIDED in chosen:
        _place_weightless(usable, chosen)
    return _placement(weights, slots, usable, chosen, bound)


def _place_weighty(
    weights: Sequence[float], usable: Sequence[Slot], pins: Iterable[int], chosen: list[int]
) -> float:
    """Place what has a weight and is not pinned; returns the lower bound of the finish."""
    base = _loads([weights[each] for each in pins], [chosen[each] for each in pins], usable)
    free = [each for each, weight in enumerate(weights) if weight > 0 and chosen[each] < 0]
    free.sort(key=weights.__getitem__, reverse=True)
    sorted_weights = list(map(weights.__getitem__, free))
    problem = Problem(sorted_weights, [slot.speed for slot in usable], base)
    bound = lower_bound(problem)
    choice = balance(problem, bound) if free else []
    for partition, slot in zip(free, choice, strict=True):
        chosen[partition] = slot
    return bound


def _place_weightless(usable: Sequence[Slot], chosen: list[int]) -> None:
    """Give each partition that is left to the slot with the fewest, for its speed."""
    taken = Counter(chosen)
    counts = [taken[slot] for slot in range(len(usable))]
    queue = [((count + 1) / usable[slot].speed, slot) for slot, count in enumerate(counts)]
    heapify(queue)
    for partition in [each for each, slot in enumerate(chosen) if slot == UNDECIDED]:
        slot = queue[0][1]
        chosen[partition] = slot
        counts[slot] += 1
        heapreplace(queue, ((counts[slot] + 1) / usable[slot].speed, slot))


def _loads(weights: Sequence[float], chosen: Sequence[int], usable: Sequence[Slot]) -> list[float]:
    """Exactly rounded sums, so that the order of the partitions does not matter."""
    held: list[list[float]] = [[] for _ in usable]
    for weight, slot in zip(weights, chosen, strict=True):
        held[slot].append(weight)
    return [math.fsum(each) for each in held]


def _placement(
    weights: Sequence[float],
    slots: Sequence[Slot],
    usable: Sequence[Slot],
    chosen: Sequence[int],
    bound: float,
) -> Placement:
    loads = _loads(weights, chosen, usable)
    finish = max((load / slot.speed for load, slot in zip(loads, usable, strict=True)), default=0.0)
    by_index = {slot.index: load for slot, load in zip(usable, loads, strict=True)}
    indexes = [slot.index for slot in usable]
    return Placement(
        assignment=tuple([indexes[slot] for slot in chosen]),
        loads=tuple(by_index.get(slot.index, 0.0) for slot in slots),
        finish=finish,
        # The bound is rounded otherwise than the finish, and may come out above it by a hair.
        lower_bound=min(bound, finish),
    )
