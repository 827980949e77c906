"""The flights example, its two classes called in this process, against another computation."""

from __future__ import annotations

import csv
import json
import random
import subprocess
import sys
import tomllib
from array import array
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from agi_env.runtime.app_context import AppContext
from agi_env.runtime.partitions import Partition, PartitionResult

REPOSITORY = Path(__file__).parents[2]
PROJECT = REPOSITORY / "examples" / "flights_project"
INDEPENDENT = Path(__file__).with_name("independent_flights.py")
FLIGHTS = 336_776


@dataclass
class FlightsApp:
    """Both classes of the example, with the arguments of its own settings."""

    manager: type[Any]
    worker: type[Any]
    args: dict[str, Any]

    def context(self, folder: Path) -> AppContext:
        return AppContext("flights_project", "flights", 0, 1, folder / "data", folder / "results")

    def partitions(self, folder: Path, **changed: Any) -> list[Partition]:
        return list(self.manager(self.context(folder), **{**self.args, **changed}).partitions())

    def started(self, folder: Path, **changed: Any) -> Any:
        worker = self.worker(self.context(folder), **{**self.args, **changed})
        worker.start()
        return worker

    def results(
        self, worker: Any, partitions: list[Partition], folder: Path
    ) -> list[PartitionResult]:
        return [self._result(worker, partition, folder) for partition in partitions]

    def _result(self, worker: Any, partition: Partition, folder: Path) -> PartitionResult:
        out = folder / "out" / partition.id
        out.mkdir(parents=True)
        value = json.loads(json.dumps(worker.work(partition, out), allow_nan=False))
        return PartitionResult(partition, value, out)


@pytest.fixture(scope="module")
def app() -> Iterator[FlightsApp]:
    source = str(PROJECT / "src")
    sys.path.insert(0, source)
    try:
        from flights.flights import Flights
        from flights_worker.flights_worker import FlightsWorker
    finally:
        sys.path.remove(source)
    args = tomllib.loads((PROJECT / "src" / "app_settings.toml").read_text())["args"]
    return FlightsApp(Flights, FlightsWorker, args)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("flights")


@pytest.fixture(scope="module")
def partitions(app: FlightsApp, folder: Path) -> list[Partition]:
    return app.partitions(folder)


@pytest.fixture(scope="module")
def results(app: FlightsApp, folder: Path, partitions: list[Partition]) -> list[PartitionResult]:
    return app.results(app.started(folder), partitions, folder)


@pytest.fixture(scope="module")
def worker(app: FlightsApp, folder: Path) -> Any:
    return app.started(folder)


def independent_table(reach: int) -> dict[str, Any]:
    command = [sys.executable, str(INDEPENDENT), str(reach)]
    done = subprocess.run(command, capture_output=True, check=True, timeout=100)
    return json.loads(done.stdout)


def test_every_flight_is_in_one_partition(partitions: list[Partition]) -> None:
    assert len({partition.id for partition in partitions}) == 36
    assert sum(partition.weight for partition in partitions) == FLIGHTS


def test_a_partition_is_an_airport_and_a_month(partitions: list[Partition]) -> None:
    first = partitions[0]
    assert (first.id, first.label) == ("EWR-01", "EWR 2013-01")
    assert first.weight == 9893
    assert first.payload == {"origin": "EWR", "month": 1}


def test_the_table_equals_the_independent_one(
    app: FlightsApp, worker: Any, results: list[PartitionResult]
) -> None:
    table = worker.reduce(results)
    assert table == independent_table(app.args["reach"])
    assert table["total"]["flights"] == FLIGHTS
    assert len(json.dumps(table)) < 8192


def test_the_order_of_the_results_does_not_matter(
    worker: Any, results: list[PartitionResult]
) -> None:
    shuffled = random.Random(13).sample(results, len(results))
    assert json.dumps(worker.reduce(shuffled)) == json.dumps(worker.reduce(results))


def test_the_order_of_the_work_does_not_matter(
    app: FlightsApp, folder: Path, results: list[PartitionResult], tmp_path: Path
) -> None:
    some = results[::17]
    again = app.results(app.started(folder), [r.partition for r in reversed(some)], tmp_path)
    for first, second in zip(some, reversed(again), strict=True):
        assert first.value == second.value
        assert (first.out / "routes.csv").read_bytes() == (second.out / "routes.csv").read_bytes()


def test_values_are_small(results: list[PartitionResult]) -> None:
    assert max(len(json.dumps(result.value)) for result in results) < 4096


def test_reduce_needs_no_start(app: FlightsApp, tmp_path: Path) -> None:
    table = app.worker(app.context(tmp_path)).reduce([])
    assert table["carriers"] == []
    assert table["total"]["flights"] == 0
    assert table["total"]["mean_dep_delay"] is None


def test_each_partition_publishes_its_routes(results: list[PartitionResult]) -> None:
    for result in results:
        with (result.out / "routes.csv").open(newline="") as file:
            rows = list(csv.DictReader(file))
        assert sum(int(row["flights"]) for row in rows) == result.partition.weight


def test_the_great_circle_is_close_to_the_distance_of_the_data(
    results: list[PartitionResult],
) -> None:
    with (results[0].out / "routes.csv").open(newline="") as file:
        excesses = {row["dest"]: row["data_km_excess_percent"] for row in csv.DictReader(file)}
    assert excesses.pop("SJU") == ""  # the data set does not say where San Juan is
    assert all(abs(float(excess)) < 1 for excess in excesses.values() if excess)


def test_the_data_are_split_once(app: FlightsApp, folder: Path, results: object) -> None:
    before = {path: path.stat().st_mtime_ns for path in (folder / "data").rglob("*")}
    app.partitions(folder)
    app.started(folder)
    after = {path: path.stat().st_mtime_ns for path in (folder / "data").rglob("*")}
    assert after == before
    assert len(after) == 1 + 36 + 1


def test_a_worker_needs_no_manager_before_it(app: FlightsApp, tmp_path: Path) -> None:
    (result,) = app.results(app.started(tmp_path), [_partition("LGA", 2)], tmp_path)
    assert sum(tally["flights"] for tally in result.value.values()) == 7423


def test_a_file_that_lost_rows_is_noticed(app: FlightsApp, tmp_path: Path) -> None:
    worker = app.started(tmp_path)
    (damaged,) = (tmp_path / "data").glob("*/JFK-05.csv")
    damaged.write_text("".join(damaged.read_text().splitlines(keepends=True)[:100]))
    with pytest.raises(ValueError, match="is damaged: delete its folder"):
        app.results(worker, [_partition("JFK", 5)], tmp_path)


def test_fewer_airports_and_months(app: FlightsApp, folder: Path) -> None:
    chosen = app.partitions(folder, origins=["LGA"], months=[12, 2])
    assert [partition.id for partition in chosen] == ["LGA-12", "LGA-02"]


@pytest.mark.parametrize(
    "wrong",
    [
        {"origins": ["SFO"]},
        {"origins": "EWR"},
        {"months": []},
        {"months": [13]},
        {"months": [1, 1]},
        {"months": [True]},
    ],
)
def test_what_does_not_exist_is_refused(
    app: FlightsApp, folder: Path, wrong: dict[str, Any]
) -> None:
    with pytest.raises(ValueError, match=next(iter(wrong))):
        app.partitions(folder, **wrong)


@pytest.mark.parametrize("reach", [0, 181, 1.5, "60", True])
def test_a_reach_out_of_bounds_is_refused(app: FlightsApp, folder: Path, reach: object) -> None:
    with pytest.raises(ValueError, match="reach"):
        app.started(folder, reach=reach)


def test_a_flight_alone_is_compared_with_itself(app: FlightsApp) -> None:
    assert _expected([(0, 7)], reach=60) == [420]
    assert _expected([(0, 7), (60, -3)], reach=60) == [420, -180]


def test_nearer_flights_count_more(app: FlightsApp) -> None:
    # 10 minutes apart weigh 400 - 100, 15 minutes apart 400 - 225.
    assert _expected([(0, 0), (10, 60), (15, 0)], reach=20)[0] == round(3600 * 300 / 475)


def test_flights_of_one_minute_share_their_delays(app: FlightsApp) -> None:
    assert _expected([(5, 10), (5, 20), (5, 60)], reach=1) == [2400, 2100, 900]


def test_half_a_second_is_rounded_up(app: FlightsApp) -> None:
    group = [(0, 0), (0, -1), *((0, 0) for _ in range(39))]
    assert _expected(group, reach=1)[0] == -1  # -60 / 40 is -1.5


def _partition(origin: str, month: int) -> Partition:
    return Partition.of(f"{origin}-{month:02d}", payload={"origin": origin, "month": month})


def _expected(flights: list[tuple[int, int]], reach: int) -> list[int]:
    from flights_worker.expected_delay import expected_delays

    assert all(first[0] <= second[0] for first, second in pairwise(flights))
    minutes, delays = (array("q", column) for column in zip(*flights, strict=True))
    return list(expected_delays(minutes, delays, reach))
