"""Seats: the executors of a plan's slots, which partitions are placed on."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from heapq import heapify, heapreplace

from agi_cluster.model.plan import PlanSlot
from agi_daemon.planning.slots import Slot

Seat = tuple[Slot, int]
"""An executor as a slot to place on, and the index of the slot that it belongs to."""


def seats_of(slots: Sequence[PlanSlot]) -> list[Seat]:
    """The executors of all slots."""
    owners = [slot for slot in slots for _ in range(slot.executors)]
    return [
        (Slot(index=index, host=slot.host, speed=slot.pace, cores=slot.cores), slot.index)
        for index, slot in enumerate(owners)
    ]


def pins_on_seats(
    pins: Mapping[int, int], weights: Sequence[float], seats: Sequence[Seat]
) -> dict[int, int]:
    """Pins to slots as pins to their executors: each takes the heaviest that is left.

    Args:
        pins: By the position of a partition the index of its slot.
        weights: The weights of all partitions.
        seats: The executors of the slots.
    """
    loads: dict[int, list[tuple[float, int]]] = {}
    for seat, slot in seats:
        loads.setdefault(slot, []).append((0.0, seat.index))
    for queue in loads.values():
        heapify(queue)
    chosen: dict[int, int] = {}
    for position in sorted(pins, key=lambda each: (-weights[each], each)):
        queue = loads[pins[position]]
        load, seat_index = queue[0]
        heapreplace(queue, (load + weights[position], seat_index))
        chosen[position] = seat_index
    return chosen
