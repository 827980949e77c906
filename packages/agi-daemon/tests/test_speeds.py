"""Speeds of hosts, learned from runs: as good as the timings, and no better."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from agi_cluster.model.run import Run, RunSlot, RunState
from agi_daemon.planning.speeds import HostSpeed, Speeds, learned
from agi_env.mode import Mode


def run(*slots: tuple[str, float, float, int]) -> Run:
    """A run whose slots did some weight in some seconds, in so many partitions."""
    return Run(
        id="r",
        app="toy_project",
        mode=Mode.CLUSTER,
        state=RunState.SUCCEEDED,
        create_time=datetime(2026, 1, 2, tzinfo=UTC),
        slots=tuple(
            RunSlot(index=i, host=h, cores=1, weight=w, busy_seconds=s, partitions=n)
            for i, (h, w, s, n) in enumerate(slots)
        ),
    )


def test_a_host_that_is_twice_as_fast() -> None:
    speeds = learned([run(("a", 10, 10, 5), ("b", 20, 10, 5))], {"a", "b"})
    assert speeds.of("b").speed == pytest.approx(2 * speeds.of("a").speed, rel=1e-3)
    assert speeds.weight_per_second == 1.5
    assert speeds.of("a").timings == 5


def test_runs_and_slots_of_a_host_count_together() -> None:
    several = [run(("a", 10, 10, 5), ("a", 10, 10, 5)), run(("b", 60, 20, 9))]
    speeds = learned(several, {"a", "b"})
    assert speeds.of("a") == HostSpeed(0.5, 10)
    assert speeds.of("b") == HostSpeed(1.5, 9)


def test_one_run_in_which_a_host_stood_still_makes_it_no_slow_host() -> None:
    good = run(("a", 10, 10, 5), ("b", 10, 10, 5))
    stood = run(("a", 10, 10, 5), ("b", 10, 1000, 5))
    speeds = learned([good, stood, good], {"a", "b"})
    assert (speeds.of("a").speed, speeds.of("b").speed) == (1.0, 1.0)
    assert speeds.weight_per_second == pytest.approx(1.0)


@pytest.mark.parametrize(("timings", "slowest"), [(3, 1 / 1.75), (12, 1 / 4), (200, 1 / 20)])
def test_few_timings_make_no_host_much_slower(timings: int, slowest: float) -> None:
    speeds = learned([run(("a", 1000, 10, 500), ("b", 0.01, 10, timings))], {"a", "b"})
    assert speeds.of("b").speed == pytest.approx(slowest, abs=1e-3)


def test_what_is_noise_is_not_told_apart() -> None:
    speeds = learned([run(("a", 10, 10, 5), ("b", 10.9, 10, 5))], {"a", "b"})
    assert (speeds.of("a").speed, speeds.of("b").speed) == (1.0, 1.0)
    assert speeds.of("a").timings == 5


def test_one_host_is_the_measure_of_itself() -> None:
    assert learned([run(("a", 30, 10, 5), ("b", 1, 10, 5))], {"a"}).of("a").speed == 1.0


@pytest.mark.parametrize("slot", [("a", 10, 10, 2), ("a", 0, 10, 5), ("a", 10, 0.01, 5)])
def test_too_little_is_nothing(slot: tuple[str, float, float, int]) -> None:
    assert learned([run(slot)], {"a"}) == Speeds()


def test_nothing_is_known_of_others() -> None:
    speeds = learned([run(("a", 10, 10, 5))], {"a", "b"})
    assert speeds.of("b") == HostSpeed(1.0, 0)
    assert learned([], {"a"}) == Speeds()
