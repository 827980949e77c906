"""What people read: the table of carriers, and each partition's file of routes."""

from __future__ import annotations

import csv
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from flights_worker.great_circle import METRES_PER_MILE, Distances
from flights_worker.tally import Tally, merged

Route = tuple[str, str, int]
"""Carrier, destination and the data's distance in miles."""

ROUTE_COLUMNS = (
    "carrier",
    "dest",
    "flights",
    "cancelled",
    "mean_dep_delay",
    "sd_dep_delay",
    "max_dep_delay",
    "mean_arr_delay",
    "sd_arr_delay",
    "max_arr_delay",
    "km",
    "data_km",
    "data_km_excess_percent",
)


def carrier_table(carriers: Mapping[str, Tally], names: Mapping[str, str]) -> dict[str, Any]:
    """The final table: a row for each carrier in order of its code, and one for all.

    Delays are in minutes, distances in kilometres. ``expected_dep_delay`` is what flights at the
    same times of the same days had on average, ``on_time_share`` the part of all scheduled flights.
    """
    rows = [
        {"carrier": code, "name": names.get(code, code), **_figures(carriers[code])}
        for code in sorted(carriers)
    ]
    return {"carriers": rows, "total": _figures(merged(carriers.values()))}


def write_routes(path: Path, routes: Mapping[Route, Tally], distances: Distances) -> None:
    """Write a row for each carrier and destination, in order of their codes."""
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(ROUTE_COLUMNS)
        for route in sorted(routes):
            writer.writerow(_route_row(route, routes[route], distances))


def _figures(tally: Tally) -> dict[str, Any]:
    flown = tally.flights - tally.cancelled
    return {
        "flights": tally.flights,
        "cancelled": tally.cancelled,
        "mean_dep_delay": _rounded(tally.departure.mean()),
        "expected_dep_delay": _rounded(tally.expected / 60 / flown if flown else None),
        "mean_arr_delay": _rounded(tally.arrival.mean()),
        "on_time_share": _rounded(tally.on_time / tally.flights if tally.flights else None),
        "km": _rounded(tally.metres / 1000),
    }


def _route_row(route: Route, tally: Tally, distances: Distances) -> list[object]:
    carrier, dest, miles = route
    excess = distances.deviation(dest, miles)
    return [
        carrier,
        dest,
        tally.flights,
        tally.cancelled,
        _rounded(tally.departure.mean()),
        _rounded(tally.departure.deviation()),
        tally.departure.largest,
        _rounded(tally.arrival.mean()),
        _rounded(tally.arrival.deviation()),
        tally.arrival.largest,
        distances.metres(dest, miles) / 1000,
        _rounded(miles * METRES_PER_MILE / 1000),
        _rounded(None if excess is None else 100 * excess),
    ]


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 3)
