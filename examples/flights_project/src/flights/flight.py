"""One flight, as the app sees it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

COLUMNS = (
    "day",
    "hour",
    "minute",
    "carrier",
    "dest",
    "distance",
    "dep_delay",
    "arr_delay",
)
"""The columns of the data set that a flight is made of, in the order of ``Flight.from_row``."""

ABSENT = "NA"


class Flight(NamedTuple):
    """A scheduled departure and what became of it.

    Attributes:
        minute: When it was to leave, in minutes since its month began, local time.
        carrier: The code of the airline.
        dest: The code of the airport that it was bound for.
        miles: How far that is, as the data set has it.
        dep_delay: Minutes that it left late, negative for early; none when it was cancelled.
        arr_delay: Minutes that it arrived late; none when it did not arrive there.
    """

    minute: int
    carrier: str
    dest: str
    miles: int
    dep_delay: int | None
    arr_delay: int | None

    @classmethod
    def from_row(cls, row: Sequence[str]) -> Flight:
        """Return the flight of a row that has ``COLUMNS``."""
        day, hour, minute, carrier, dest, miles, dep_delay, arr_delay = row
        return cls(
            (int(day) - 1) * 1440 + int(hour) * 60 + int(minute),
            carrier,
            dest,
            int(miles),
            None if dep_delay == ABSENT else int(dep_delay),
            None if arr_delay == ABSENT else int(arr_delay),
        )
