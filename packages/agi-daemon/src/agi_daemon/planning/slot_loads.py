"""The slots of a plan with what is on them, and how that changes when partitions are moved."""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Mapping, Sequence
from heapq import heapify, heapreplace

from attrs import evolve

from agi_cluster.model.plan import PlanSlot
from agi_daemon.planning.placement import Placement
from agi_daemon.planning.slots import Slot

EXACT_LIMIT = 100_000
"""Partitions up to which the executors of a slot that was changed are filled anew to know its
finish; with more of them the average is as good."""


def slots_of(
    slots: Sequence[PlanSlot], seats: Sequence[tuple[Slot, int]], placement: Placement
) -> tuple[PlanSlot, ...]:
    """The slots with the loads of their executors summed, and the finish of the latest one.

    Args:
        slots: The slots, with nothing on them.
        seats: The executors, each with the index of its slot.
        placement: What is on the executors.
    """
    loads: dict[int, list[float]] = {slot.index: [] for slot in slots}
    counts = dict.fromkeys(loads, 0)
    owner = {seat.index: slot for seat, slot in seats}
    for (_, slot), load in zip(seats, placement.loads, strict=True):
        loads[slot].append(load)
    for seat, count in placement.counts.items():
        counts[owner[seat]] += count
    return tuple(
        evolve(
            slot,
            load=sum(loads[slot.index]),
            partition_count=counts[slot.index],
            predicted_finish=max(loads[slot.index]) / slot.pace,
        )
        for slot in slots
    )


class SlotLoads:
    """The slots of a plan that is being edited."""

    def __init__(self, slots: Iterable[PlanSlot]) -> None:
        self.by_index = {slot.index: slot for slot in slots}
        self._touched: dict[int, float] = {}

    def move(self, weight: float, source: int, target: int) -> None:
        """A partition of this weight goes from one slot to another."""
        self._add(source, -weight, -1)
        self._add(target, weight, 1)
        heaviest = self._touched.get(target, 0.0)
        self._touched[target] = max(heaviest, weight)
        self._touched.setdefault(source, 0.0)

    def replace(self, slots: Iterable[PlanSlot]) -> None:
        """All slots are otherwise, and their finishes are known."""
        self.by_index = {slot.index: slot for slot in slots}
        self._touched.clear()

    @property
    def shared(self) -> frozenset[int]:
        """Slots that were changed and whose finish depends on how their executors are filled."""
        return frozenset(index for index in self._touched if self.by_index[index].executors > 1)

    def finished(self, held: Mapping[int, Sequence[float]]) -> tuple[PlanSlot, ...]:
        """The slots with their finishes.

        Args:
            held: The weights on the `shared` slots; what is missing is taken as well divided.
        """
        for index, heaviest in self._touched.items():
            slot = self.by_index[index]
            if index in held:
                latest = _fullest(held[index], slot.executors)
            else:
                latest = max(slot.load / slot.executors, heaviest if slot.executors > 1 else 0.0)
            self.by_index[index] = evolve(slot, predicted_finish=latest / slot.pace)
        return tuple(self.by_index[index] for index in sorted(self.by_index))

    def _add(self, index: int, weight: float, count: int) -> None:
        slot = self.by_index[index]
        left = slot.partition_count + count
        load = max(0.0, slot.load + weight) if left else 0.0
        self.by_index[index] = evolve(slot, load=load, partition_count=left)


def weights_on(
    wanted: frozenset[int], slots: array[int], weights: Sequence[float]
) -> dict[int, list[float]]:
    """The weights on some slots."""
    held: dict[int, list[float]] = {index: [] for index in wanted}
    for slot, weight in zip(slots, weights, strict=True):
        if slot in held:
            held[slot].append(weight)
    return held


def _fullest(weights: Sequence[float], executors: int) -> float:
    """The load of the fullest executor if each takes the heaviest weight that is left."""
    loads = [0.0] * executors
    heapify(loads)
    for weight in sorted(weights, reverse=True):
        heapreplace(loads, loads[0] + weight)
    return max(loads)
