"""How fast hosts are for an app, learned from the timings of its earlier runs: pure."""

from __future__ import annotations

from bisect import bisect_left
from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from itertools import accumulate

import attrs

from agi_cluster.model.run import Run, RunSlot

LEAST_TIMINGS = 3
LEAST_SECONDS = 0.05
"""Partitions of a host, and seconds that they took, below which nothing is known of it."""

NOTICED = 0.1
"""How far hosts have to be apart, relative, to be told apart: below that it is noise."""

TIMINGS_PER_FACTOR = 4
FARTHEST = 20.0
"""How many timings let a host be taken as once more as fast or as slow as the others, and the most
that it ever is: a partition or two that had to wait make no slow host."""


@attrs.frozen
class HostSpeed:
    """The speed of one executor of a host, relative to the others; 1.0 is what they do together."""

    speed: float
    timings: int
    """How many partitions were timed."""


@attrs.frozen
class Speeds:
    """What is known of some hosts.

    Attributes:
        hosts: Those of which anything is known.
        weight_per_second: What an executor of speed 1 does; 0 where nothing is known.
    """

    hosts: Mapping[str, HostSpeed] = attrs.field(factory=dict)
    weight_per_second: float = 0.0

    def of(self, host: str) -> HostSpeed:
        """The speed of a host; 1.0 without any timing where it is not known."""
        return self.hosts.get(host, HostSpeed(1.0, 0))


def learned(runs: Iterable[Run], hosts: Collection[str]) -> Speeds:
    """The speeds of hosts from runs of one app in one mode.

    A slot's rate in a run is the weight that it did in a second, a host's rate the median of its
    slots' in all runs, each counted by its partitions: one run in which it stood still changes
    little. So it is as good as the app's weights are; hosts that differ by less than a tenth are
    taken as equal.
    """
    slots: dict[str, list[RunSlot]] = defaultdict(list)
    for slot in (slot for run in runs for slot in run.slots if slot.host in hosts):
        if slot.weight > 0 and slot.busy_seconds > 0:
            slots[slot.host].append(slot)
    known = {host: _Timed.of(each) for host, each in slots.items()}
    known = {host: timed for host, timed in known.items() if timed.enough}
    if not known:
        return Speeds()
    seconds = sum(timed.seconds for timed in known.values())
    together = sum(timed.rate * timed.seconds for timed in known.values()) / seconds
    return Speeds(_relative(known, together), together)


@attrs.frozen
class _Timed:
    """What was measured of a host."""

    rate: float
    seconds: float
    timings: int

    @staticmethod
    def of(slots: Sequence[RunSlot]) -> _Timed:
        timings = sum(slot.partitions for slot in slots)
        seconds = sum(slot.busy_seconds for slot in slots)
        return _Timed(_median_rate(slots, timings), seconds, timings)

    @property
    def enough(self) -> bool:
        return self.seconds >= LEAST_SECONDS and self.timings >= LEAST_TIMINGS

    def bounded(self, speed: float) -> float:
        farthest = min(1 + self.timings / TIMINGS_PER_FACTOR, FARTHEST)
        return min(max(speed, 1 / farthest), farthest)


def _median_rate(slots: Sequence[RunSlot], timings: int) -> float:
    """The rate that half of the timings do not reach, or the mean of two where they are even."""
    rates = sorted((slot.weight / slot.busy_seconds, slot.partitions) for slot in slots)
    ranked = list(accumulate(count for _, count in rates))
    low, high = (bisect_left(ranked, (timings + odd) // 2) for odd in (1, 2))
    return (rates[low][0] + rates[high][0]) / 2


def _relative(known: Mapping[str, _Timed], together: float) -> dict[str, HostSpeed]:
    speeds = {host: timed.bounded(timed.rate / together) for host, timed in known.items()}
    if max(speeds.values()) < min(speeds.values()) * (1 + NOTICED):
        speeds = dict.fromkeys(speeds, 1.0)
    return {host: HostSpeed(round(speed, 3), known[host].timings) for host, speed in speeds.items()}
