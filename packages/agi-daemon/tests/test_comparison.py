"""What is said of measured times, and what is called noise."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from agi_cluster.model.benchmark import BenchmarkRow
from agi_daemon.benchmarks.comparison import CHANCE, chance_of, compared
from agi_env.errors import CompilerMissingError
from agi_env.mode import Mode

FAST, SLOW = (1.0, 1.1, 1.05, 1.02), (2.0, 2.1, 2.05, 2.02)


def row(mode: int, seconds: Sequence[float] = (), **more: object) -> BenchmarkRow:
    return BenchmarkRow(mode=Mode(mode), seconds=tuple(seconds), **more)  # type: ignore[arg-type]


def test_the_fastest_is_recommended_where_it_is_beyond_chance() -> None:
    told = compared([row(0, SLOW), row(2, FAST)])
    assert told.recommended is Mode.CYTHON and "fastest" in told.advice
    slow, fast = told.rows
    assert slow.ratio == pytest.approx(2.035 / 1.035) and not slow.noise
    assert (fast.ratio, fast.low <= fast.median <= fast.high) == (1.0, True)


def test_what_is_noise_is_said_and_the_simpler_mode_is_recommended() -> None:
    told = compared([row(5, (1.0, 1.2, 1.1, 1.3)), row(1, (1.05, 1.25, 1.15, 1.35))])
    assert told.recommended is Mode.POOL and told.rows[1].noise
    assert "not faster by more than chance" in told.advice


def test_modes_that_failed_or_gave_other_results_are_left_out() -> None:
    told = compared(
        [row(0, SLOW), row(2, FAST, differs=True), row(8, error=CompilerMissingError("none"))]
    )
    assert told.recommended is Mode.PLAIN
    nothing = compared([row(0, error=CompilerMissingError("none"))])
    assert (nothing.recommended, nothing.advice) == (None, "no mode has succeeded")


def test_few_runs_tell_nothing() -> None:
    told = compared([row(0, (2.0, 2.1)), row(1, (1.0, 1.1))])
    assert told.rows[0].noise and "nothing can be told" in told.advice


@pytest.mark.parametrize(
    ("ours", "theirs", "chance"),
    [
        ((1, 2, 3, 4), (5, 6, 7, 8), 2 / 70),
        ((1, 2, 3), (4, 5, 6), 2 / 20),
        ((1, 1, 1), (1, 1, 1), 1.0),
        ((1, 2, 3, 4, 5), (6, 7, 8, 9, 10), 2 / 252),
    ],
)
def test_chance_is_that_of_the_rank_sum(
    ours: Sequence[float], theirs: Sequence[float], chance: float
) -> None:
    assert chance_of(ours, theirs) == pytest.approx(chance)


def test_many_values_are_compared_by_the_normal_approximation() -> None:
    assert chance_of(range(20), range(20, 40)) < CHANCE < chance_of(range(20), range(20))
