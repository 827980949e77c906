"""Each lower bound where it is the one that decides, and all of them against brute force."""

from __future__ import annotations

from itertools import product

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agi_daemon.planning import bounds
from agi_daemon.planning.problem import Problem

untimed = settings(deadline=None)


def problem_of(weights: list[float], speeds: list[float], base: list[float]) -> Problem:
    return Problem(sorted(weights, reverse=True), speeds, base)


def optimum(problem: Problem) -> float:
    slots = range(len(problem.speeds))
    return min(map(problem.finish, product(slots, repeat=len(problem.weights))))


slots_with_loads = st.lists(
    st.tuples(st.sampled_from([0.5, 1.0, 2.0, 2.5]), st.integers(0, 20).map(float)),
    min_size=1,
    max_size=3,
)


@untimed
@given(st.lists(st.integers(1, 20).map(float), max_size=6), slots_with_loads)
def test_no_bound_exceeds_the_optimum(
    weights: list[float], slots: list[tuple[float, float]]
) -> None:
    problem = problem_of(weights, [speed for speed, _ in slots], [base for _, base in slots])
    assert bounds.lower_bound(problem) <= optimum(problem) * (1 + 1e-12)


def test_the_average_decides_when_weights_are_many() -> None:
    problem = problem_of([1.0] * 12, [1.0, 2.0], [0.0, 0.0])
    assert bounds.lower_bound(problem) == bounds.average_bound(problem) == 4.0


def test_the_average_fills_in_around_what_is_pinned() -> None:
    assert bounds.average_bound(problem_of([4.0], [1.0, 1.0, 1.0], [1.0, 9.0, 3.0])) == 4.0
    assert bounds.average_bound(problem_of([], [1.0, 1.0], [0.0, 9.0])) == 0.0


def test_what_is_pinned_decides_when_it_is_most() -> None:
    problem = problem_of([1.0], [1.0, 2.0], [3.0, 30.0])
    assert bounds.lower_bound(problem) == bounds.pinned_bound(problem) == 15.0


def test_the_heaviest_decide_when_the_fast_slots_are_few() -> None:
    assert bounds.heaviest_bound([6.0, 6.0], [3.0, 1.0, 1.0]) == 3.0
    assert bounds.lower_bound(problem_of([9.0, 1.0], [1.0, 3.0], [0.0, 0.0])) == 3.0


def test_equal_weights_that_do_not_divide_evenly() -> None:
    problem = problem_of([1.0] * 7, [1.0, 1.0, 1.0], [0.0] * 3)
    assert bounds.lower_bound(problem) == bounds.room_bound([1.0] * 7, [1.0] * 3) == 3.0


def test_a_crowd_decides_when_one_slot_must_take_two() -> None:
    weights = [9.0, 8.0, 7.0, 6.0]
    assert bounds.crowd_bound(weights, [1.0, 1.0, 1.0]) == 13.0
    assert bounds.lower_bound(problem_of(weights, [1.0] * 3, [0.0] * 3)) == 13.0


@pytest.mark.parametrize("slots", [0, 3])
def test_nothing_is_bounded_by_nothing(slots: int) -> None:
    assert bounds.lower_bound(problem_of([], [1.0] * slots, [0.0] * slots)) == 0.0
