"""The worker side: the delay statistics of one airport and month, and the table of all."""

from __future__ import annotations

from array import array
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from flights.dataset import airline_names, airport_positions
from flights.departures import Departures
from flights.flight import Flight

from agi_env import BaseWorker, Partition
from agi_env.runtime.app_context import AppContext
from agi_env.runtime.partitions import PartitionResult
from flights_worker.expected_delay import INTEGER, expected_delays
from flights_worker.great_circle import Distances
from flights_worker.report import Route, carrier_table, write_routes
from flights_worker.tally import Tally

MAX_REACH = 180


class FlightsWorker(BaseWorker):
    """Sums up the flights of an airport and month, and reduces the sums to a table of carriers.

    Args:
        env: Where the app runs.
        reach: How near in time two departures are compared, in minutes, 1 to ``MAX_REACH``.
        **args: Other arguments of the app; the manager side reads them.

    Raises:
        ValueError: ``reach`` is no such number.
    """

    def __init__(self, env: AppContext, *, reach: int = 60, **args: Any) -> None:
        super().__init__(env, **args)
        if type(reach) is not int or not 1 <= reach <= MAX_REACH:
            raise ValueError(f"reach = {reach!r} is no whole number of 1 to {MAX_REACH} minutes")
        self.reach = reach

    def start(self) -> None:
        """Find the departures and where the airports are."""
        self._departures = Departures.prepared(self.env.data_in)
        self._positions = airport_positions()

    def work(self, partition: Partition, out: Path) -> dict[str, Any]:
        """Write the airport's routes of the month; return the tally of each carrier."""
        origin, month = _place_and_time(partition)
        flights = self._departures.flights(origin, month)
        distances = Distances(origin, self._positions)
        routes = self._tallies(flights, distances)
        write_routes(out / "routes.csv", routes, distances)
        return {code: tally.to_json() for code, tally in _by_carrier(routes).items()}

    def reduce(self, results: Sequence[PartitionResult]) -> dict[str, Any]:
        """The table of carriers over all partitions, and a total."""
        tallies: defaultdict[str, Tally] = defaultdict(Tally)
        for result in results:
            for code, value in _carriers(result).items():
                tallies[code].merge(Tally.from_json(value))
        return carrier_table(tallies, airline_names())

    def _tallies(self, flights: Sequence[Flight], distances: Distances) -> dict[Route, Tally]:
        tallies: defaultdict[Route, Tally] = defaultdict(Tally)
        for flight, expected in zip(flights, self._expected(flights), strict=True):
            tally = tallies[flight.carrier, flight.dest, flight.miles]
            if flight.dep_delay is None:
                tally.add_cancelled()
            else:
                metres = distances.metres(flight.dest, flight.miles)
                tally.add_flown(flight.dep_delay, flight.arr_delay, metres, expected)
        return dict(tallies)

    def _expected(self, flights: Sequence[Flight]) -> Iterator[int]:
        """The expected delay of each flight in seconds; 0 for those that never left."""
        flown = [(f.minute, f.dep_delay) for f in flights if f.dep_delay is not None]
        minutes = array(INTEGER, [minute for minute, _ in flown])
        delays = array(INTEGER, [delay for _, delay in flown])
        expected = iter(expected_delays(minutes, delays, self.reach))
        return (0 if flight.dep_delay is None else next(expected) for flight in flights)


def _place_and_time(partition: Partition) -> tuple[str, int]:
    payload: Any = partition.payload
    return payload["origin"], payload["month"]


def _carriers(result: PartitionResult) -> dict[str, Any]:
    value: Any = result.value
    return dict(value)


def _by_carrier(routes: Mapping[Route, Tally]) -> dict[str, Tally]:
    carriers: defaultdict[str, Tally] = defaultdict(Tally)
    for carrier, dest, miles in sorted(routes):
        carriers[carrier].merge(routes[carrier, dest, miles])
    return dict(carriers)
