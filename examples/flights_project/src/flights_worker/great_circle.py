"""How far apart two airports are on the globe."""

from __future__ import annotations

from collections.abc import Mapping
from math import asin, cos, radians, sin, sqrt

EARTH_RADIUS_M = 6_371_008.8
"""The mean radius of the Earth in metres, as the IUGG defines it."""

METRES_PER_MILE = 1609.344

Position = tuple[float, float]
"""Latitude and longitude in degrees."""


def haversine(start: Position, end: Position) -> int:
    """The great-circle distance in whole metres, by the haversine formula on a sphere.

    The sphere is within 0.6 % of the true figure of the Earth. Whole metres make sums exact.
    """
    lat1, lat2 = radians(start[0]), radians(end[0])
    across = sin((lat2 - lat1) / 2) ** 2
    along = cos(lat1) * cos(lat2) * sin(radians(end[1] - start[1]) / 2) ** 2
    return round(2 * EARTH_RADIUS_M * asin(sqrt(across + along)))


class Distances:
    """The distances from one airport, each computed once.

    Args:
        origin: The code of the airport.
        positions: Where the airports are.
    """

    def __init__(self, origin: str, positions: Mapping[str, Position]) -> None:
        self._origin = origin
        self._positions = positions
        self._metres: dict[str, int] = {}

    def metres(self, dest: str, miles: int) -> int:
        """How far it is to this airport; ``miles`` where nobody knows its position."""
        if dest not in self._metres:
            self._metres[dest] = self._computed(dest, miles)
        return self._metres[dest]

    def deviation(self, dest: str, miles: int) -> float | None:
        """How much longer the data's distance is than ours, as a share of ours."""
        if dest not in self._positions:
            return None
        return miles * METRES_PER_MILE / self.metres(dest, miles) - 1

    def _computed(self, dest: str, miles: int) -> int:
        if dest not in self._positions:
            return round(miles * METRES_PER_MILE)
        return haversine(self._positions[self._origin], self._positions[dest])
