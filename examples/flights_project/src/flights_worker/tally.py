"""A tally: what is summed up over a set of flights, in whole numbers only.

Whole numbers add up to the same total in any order, so a tally of tallies is exact.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field
from math import sqrt
from typing import Any

LATE_MINUTES = 15
"""A flight that arrives this late or later is not on time (US Department of Transportation)."""


@dataclass(slots=True)
class Delays:
    """How many delays there were, their sum, the sum of their squares and the largest; minutes."""

    count: int = 0
    total: int = 0
    squares: int = 0
    largest: int | None = None

    def add(self, minutes: int) -> None:
        """Count one delay."""
        self.count += 1
        self.total += minutes
        self.squares += minutes * minutes
        if self.largest is None or minutes > self.largest:
            self.largest = minutes

    def merge(self, other: Delays) -> None:
        """Count all that the other has counted."""
        self.count += other.count
        self.total += other.total
        self.squares += other.squares
        known = [largest for largest in (self.largest, other.largest) if largest is not None]
        self.largest = max(known, default=None)

    def mean(self) -> float | None:
        """The mean delay, if there was any."""
        return self.total / self.count if self.count else None

    def deviation(self) -> float | None:
        """The standard deviation of these delays, if there was any."""
        if not self.count:
            return None
        return sqrt(self.count * self.squares - self.total**2) / self.count


@dataclass(slots=True)
class Tally:
    """What became of a set of flights.

    Attributes:
        flights: How many were to leave.
        cancelled: How many never left.
        on_time: How many arrived less than ``LATE_MINUTES`` late.
        metres: How far those that left flew.
        expected: The sum of the delays that were to be expected of those that left, in seconds.
        departure: The delays of those that left.
        arrival: The delays of those that arrived where they were bound for.
    """

    flights: int = 0
    cancelled: int = 0
    on_time: int = 0
    metres: int = 0
    expected: int = 0
    departure: Delays = field(default_factory=Delays)
    arrival: Delays = field(default_factory=Delays)

    def add_cancelled(self) -> None:
        """Count a flight that never left."""
        self.flights += 1
        self.cancelled += 1

    def add_flown(self, dep_delay: int, arr_delay: int | None, metres: int, expected: int) -> None:
        """Count a flight that left."""
        self.flights += 1
        self.metres += metres
        self.expected += expected
        self.departure.add(dep_delay)
        if arr_delay is not None:
            self.arrival.add(arr_delay)
            self.on_time += arr_delay < LATE_MINUTES

    def merge(self, other: Tally) -> None:
        """Count all that the other has counted."""
        self.flights += other.flights
        self.cancelled += other.cancelled
        self.on_time += other.on_time
        self.metres += other.metres
        self.expected += other.expected
        self.departure.merge(other.departure)
        self.arrival.merge(other.arrival)

    def to_json(self) -> dict[str, Any]:
        """The tally as a JSON object."""
        return asdict(self)

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> Tally:
        """Return the tally that ``to_json`` gave."""
        departure, arrival = Delays(**value["departure"]), Delays(**value["arrival"])
        return cls(**{**value, "departure": departure, "arrival": arrival})


def merged(tallies: Iterable[Tally]) -> Tally:
    """One tally that has counted what all of these have."""
    total = Tally()
    for tally in tallies:
        total.merge(tally)
    return total
