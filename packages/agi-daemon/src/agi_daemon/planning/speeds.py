"""How fast hosts are for an app, learned from the timings of its earlier runs: pure."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping

import attrs

from agi_cluster.model.run import Run

LEAST_TIMINGS = 3
LEAST_SECONDS = 0.05
"""Partitions of a host, and seconds that they took, below which nothing is known of it."""

NOTICED = 0.1
"""How far hosts have to be apart, relative, to be told apart: below that it is noise."""

SLOWEST, FASTEST = 0.05, 20.0


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

    A host's speed is the weight that its executors did in a second. So it is as good as the app's
    weights are; hosts that differ by less than a tenth are taken as equal.
    """
    done: dict[str, tuple[float, float, int]] = {}
    for slot in (slot for run in runs for slot in run.slots if slot.host in hosts):
        weight, seconds, timings = done.get(slot.host, (0.0, 0.0, 0))
        done[slot.host] = (
            weight + slot.weight,
            seconds + slot.busy_seconds,
            timings + slot.partitions,
        )
    known = {
        host: (weight, seconds, timings)
        for host, (weight, seconds, timings) in done.items()
        if weight > 0 and seconds >= LEAST_SECONDS and timings >= LEAST_TIMINGS
    }
    if not known:
        return Speeds()
    together = sum(each[0] for each in known.values()) / sum(each[1] for each in known.values())
    return Speeds(_relative(known, together), together)


def _relative(
    known: Mapping[str, tuple[float, float, int]], together: float
) -> dict[str, HostSpeed]:
    speeds = {
        host: min(max(weight / seconds / together, SLOWEST), FASTEST)
        for host, (weight, seconds, _) in known.items()
    }
    if max(speeds.values()) < min(speeds.values()) * (1 + NOTICED):
        speeds = dict.fromkeys(speeds, 1.0)
    return {host: HostSpeed(round(speed, 3), known[host][2]) for host, speed in speeds.items()}
