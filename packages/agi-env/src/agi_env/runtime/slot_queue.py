"""The partitions that wait in one slot, in the order of the plan, and their total weight."""

from __future__ import annotations

import heapq
from collections.abc import Callable, Iterator
from operator import itemgetter

from agi_env.runtime.partitions import Partition


class SlotQueue:
    """Partitions by their place in the plan; what comes back goes to its old place."""

    def __init__(self) -> None:
        self._heap: list[tuple[int, Partition]] = []
        self._weight = 0.0

    def __len__(self) -> int:
        return len(self._heap)

    @property
    def weight(self) -> float:
        """The weights of all that wait, together."""
        return self._weight if self._heap else 0.0

    def put(self, place: int, partition: Partition) -> None:
        """Let a partition wait at its place in the plan."""
        heapq.heappush(self._heap, (place, partition))
        self._weight += partition.weight

    def first(self) -> Partition:
        """The partition that is next, left where it is."""
        return self._heap[0][1]

    def take(self) -> Partition:
        """Remove the partition that is next and return it."""
        _, partition = heapq.heappop(self._heap)
        self._weight -= partition.weight
        return partition

    def withdraw(self, wanted: Callable[[Partition], bool]) -> list[Partition]:
        """Remove the partitions that are wanted elsewhere, in the order of the plan."""
        found = sorted((each for each in self._heap if wanted(each[1])), key=itemgetter(0))
        if found:
            places = {place for place, _ in found}
            self._heap = [each for each in self._heap if each[0] not in places]
            heapq.heapify(self._heap)
            self._weight -= sum(partition.weight for _, partition in found)
        return [partition for _, partition in found]

    def drain(self) -> Iterator[Partition]:
        """Remove all partitions, one after another."""
        while self._heap:
            yield self.take()
