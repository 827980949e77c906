"""Placement against exact oracles on small cases, and against bounds on large ones."""

from __future__ import annotations

import random
from array import array
from collections import Counter
from collections.abc import Sequence
from itertools import product

import prtpy
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agi_cluster.model.plan import slot_names
from agi_daemon.planning import Slot, place
from agi_daemon.planning.bounds import lower_bound
from agi_daemon.planning.problem import Problem
from agi_daemon.planning.rounds import longest_first_in_rounds
from agi_env.errors import PlanInvalidError

untimed = settings(deadline=None)

FEW_A_SLOT = [(200, 64), (320, 64), (36, 8)]

whole_weights = st.lists(st.integers(1, 100).map(float), min_size=1, max_size=8)
any_weights = st.lists(
    st.floats(0, 1e300, allow_subnormal=False) | st.sampled_from([0.0, 1.0, 1.0, 2.0]), max_size=40
)
speeds_of_slots = st.lists(st.floats(0.1, 10.0) | st.just(1.0), min_size=1, max_size=10)


def slots_of(speeds: Sequence[float]) -> list[Slot]:
    return [Slot(10 + rank, f"host-{rank // 2}", speed) for rank, speed in enumerate(speeds)]


def plain_longest_first(weights: Sequence[float], speeds: Sequence[float]) -> float:
    loads = [0.0] * len(speeds)
    for weight in sorted(weights, reverse=True):
        ends = [(load + weight) / speed for load, speed in zip(loads, speeds, strict=True)]
        loads[ends.index(min(ends))] += weight
    return max(load / speed for load, speed in zip(loads, speeds, strict=True))


def optimum(weights: Sequence[float], speeds: Sequence[float]) -> float:
    """Try everything."""
    finishes = []
    for choice in product(range(len(speeds)), repeat=len(weights)):
        loads = [0.0] * len(speeds)
        for weight, slot in zip(weights, choice, strict=True):
            loads[slot] += weight
        finishes.append(max(load / speed for load, speed in zip(loads, speeds, strict=True)))
    return min(finishes)


@untimed
@given(whole_weights, st.integers(1, 4))
def test_equal_slots_against_prtpy(weights: list[float], slots: int) -> None:
    sums = prtpy.partition(
        algorithm=prtpy.partitioning.complete_greedy,
        numbins=slots,
        items=weights,
        outputtype=prtpy.out.Sums,
        objective=prtpy.obj.MinimizeLargestSum,
    )
    placement = place(weights, slots_of([1.0] * slots))
    assert placement.lower_bound <= max(sums) <= placement.finish
    assert placement.finish <= plain_longest_first(weights, [1.0] * slots)


@untimed
@given(
    st.lists(st.integers(1, 30).map(float), min_size=1, max_size=6),
    st.lists(st.sampled_from([0.5, 1.0, 2.0, 3.0]), min_size=1, max_size=3),
)
def test_unequal_slots_against_everything(weights: list[float], speeds: list[float]) -> None:
    placement = place(weights, slots_of(speeds))
    best = optimum(weights, speeds)
    assert placement.lower_bound <= best * (1 + 1e-12)
    assert best * (1 - 1e-12) <= placement.finish
    assert placement.finish <= plain_longest_first(weights, speeds) * (1 + 1e-12)


@untimed
@given(any_weights, speeds_of_slots)
def test_it_is_never_worse_than_longest_first(weights: list[float], speeds: list[float]) -> None:
    placement = place(weights, slots_of(speeds))
    assert placement.finish <= plain_longest_first(weights, speeds) * (1 + 1e-9)
    assert placement.lower_bound <= placement.finish


@untimed
@given(any_weights, speeds_of_slots, st.data())
def test_pins_and_exclusions_hold(
    weights: list[float], speeds: list[float], data: st.DataObject
) -> None:
    slots = slots_of(speeds)
    excluded = frozenset(data.draw(st.sets(st.sampled_from([slot.host for slot in slots]))))
    usable = {slot.index for slot in slots if slot.host not in excluded}
    if not usable or not weights:
        return
    partitions = st.integers(0, len(weights) - 1)
    pins = data.draw(st.dictionaries(partitions, st.sampled_from(sorted(usable))))
    placement = place(weights, slots, pins, excluded)
    assert len(placement.assignment) == len(weights)
    assert set(placement.assignment) <= usable
    assert all(placement.assignment[partition] == index for partition, index in pins.items())
    assert placement.lower_bound <= placement.finish
    assert placement == place(weights, slots, pins, excluded)


@untimed
@given(st.lists(st.floats(0, 1e6), max_size=30), speeds_of_slots)
def test_the_loads_are_those_of_the_assignment(weights: list[float], speeds: list[float]) -> None:
    slots = slots_of(speeds)
    placement = place(weights, slots)
    held: dict[int, list[float]] = {slot.index: [] for slot in slots}
    for weight, index in zip(weights, placement.assignment, strict=True):
        held[index].append(weight)
    assert placement.loads == pytest.approx([sum(held[slot.index]) for slot in slots])
    ends = [load / slot.speed for slot, load in zip(slots, placement.loads, strict=True)]
    assert placement.finish == max(ends)


@pytest.mark.parametrize("unequal", [False, True])
@pytest.mark.parametrize(("partitions", "slots"), FEW_A_SLOT)
def test_it_closes_most_of_the_gap_that_longest_first_leaves(
    partitions: int, slots: int, unequal: bool
) -> None:
    left = gap = 0.0
    for seed in range(20):
        draw = random.Random(seed)
        weights = [draw.lognormvariate(0, 0.5) for _ in range(partitions)]
        speeds = [draw.uniform(0.5, 2) if unequal else 1.0 for _ in range(slots)]
        placement = place(weights, slots_of(speeds))
        gap += plain_longest_first(weights, speeds) / placement.lower_bound - 1
        left += placement.gap
    assert left < 0.1 * gap


def test_eleven_partitions_on_sixteen_slots() -> None:
    placement = place([float(each) for each in range(1, 12)], slots_of([1.0] * 16))
    assert placement.finish == placement.lower_bound == 11.0


def test_hosts_take_turns_where_slots_are_equal() -> None:
    slots = [Slot(index, "ab"[index // 4]) for index in range(8)]
    assert place([1.0] * 4, slots).assignment == (0, 4, 1, 5)
    assert place([1.0] * 4, slots[::-1]).assignment == (0, 4, 1, 5)


def test_weights_that_are_proven_best() -> None:
    assert place([3.0, 3.0, 2.0, 2.0, 2.0], slots_of([1.0, 1.0])).gap == 0.0


def test_no_partitions() -> None:
    placement = place([], slots_of([1.0, 2.0]))
    assert placement.assignment == ()
    assert placement.loads == (0.0, 0.0)
    assert (placement.finish, placement.lower_bound, placement.gap) == (0.0, 0.0, 0.0)
    assert place([], []).finish == 0.0


def test_one_partition_goes_to_the_fastest_slot() -> None:
    placement = place([4.0], slots_of([1.0, 2.0, 2.0]))
    assert placement.assignment == (12,)
    assert placement.finish == placement.lower_bound == 2.0


@pytest.mark.parametrize("weight", [0.0, 1.0, 5e-324, 1e300])
def test_equal_weights_are_spread_evenly(weight: float) -> None:
    placement = place([weight] * 20, slots_of([1.0] * 8))
    assert sorted(Counter(placement.assignment).values()) == [2] * 4 + [3] * 4
    assert placement.gap == 0.0


def test_weightless_partitions_follow_speed_and_number() -> None:
    placement = place([0.0] * 6, slots_of([1.0, 2.0]), pins={0: 10})
    assert Counter(placement.assignment) == {10: 2, 11: 4}


def test_enormous_and_tiny_weights_together() -> None:
    placement = place([1e300, 1e300, 1e-300, 1.0], slots_of([1.0, 1.0]))
    assert placement.finish == placement.lower_bound == 1e300
    assert placement.assignment[0] != placement.assignment[1]


def test_whole_numbers_and_arrays_are_weights() -> None:
    slots = slots_of([1.0, 2.0])
    assert place([3, 1, 2], slots) == place(array("d", [3, 1, 2]), slots)


def test_many_equal_slots_and_partitions() -> None:
    placement = place([1.0] * 50_000, slots_of([1.0] * 100))
    assert set(Counter(placement.assignment).values()) == {500}


def test_many_speeds_and_partitions_are_placed_as_well_as_longest_first() -> None:
    draw = random.Random(1)
    weights = [draw.lognormvariate(0, 0.5) for _ in range(20_000)]
    speeds = [draw.uniform(0.5, 2) for _ in range(60)]
    placement = place(weights, slots_of(speeds))
    assert placement.finish <= plain_longest_first(weights, speeds) * 1.0005
    assert placement.gap < 0.001


def test_in_rounds_few_slots_catch_up_with_many_loaded_ones() -> None:
    draw = random.Random(3)
    weights = sorted((draw.lognormvariate(0, 0.5) for _ in range(15_000)), reverse=True)
    speeds = [draw.uniform(0.5, 2) for _ in range(100)]
    base = [0.0] * 5 + [draw.uniform(200, 400) * speed for speed in speeds[5:]]
    problem = Problem(weights, speeds, base)
    finish = problem.finish(longest_first_in_rounds(problem))
    assert finish <= lower_bound(problem) * 1.001


def test_rounds_end_on_weights_that_cannot_be_smaller() -> None:
    problem = Problem([1.0, 5e-324, 5e-324], [1.0, 2.0], [0.0, 0.0])
    assert len(longest_first_in_rounds(problem)) == 3


def test_a_placement_does_not_depend_on_the_hash_seed_or_the_order_of_pins() -> None:
    draw = random.Random(2)
    weights = [draw.lognormvariate(0, 0.5) for _ in range(40)]
    slots, pins = slots_of([1.0, 1.5] * 5), {3: 10, 7: 12, 9: 19}
    assert place(weights, slots, pins) == place(weights, slots, dict(reversed(pins.items())))


@pytest.mark.parametrize("weight", [-1.0, float("nan"), float("inf"), float("-inf"), 1.7e308])
def test_weights_that_cannot_be_placed_are_refused(weight: float) -> None:
    with pytest.raises(PlanInvalidError):
        place([1.0, weight, weight], slots_of([1.0, 0.5]))


@pytest.mark.parametrize(
    ("pins", "excluded", "says"),
    [
        ({5: 10}, set(), "partition 5 of 2"),
        ({-1: 10}, set(), "partition -1 of 2"),
        ({0: 99}, set(), "slot 99, which does not exist"),
        ({0: 10}, {"host-0"}, "excluded host"),
        ({}, {"host-0", "host-1"}, "no slot is left for 2 partitions"),
    ],
)
def test_what_cannot_be_met_is_refused(pins: dict[int, int], excluded: set[str], says: str) -> None:
    with pytest.raises(PlanInvalidError, match=says):
        place([1.0, 2.0], slots_of([1.0] * 4), pins, frozenset(excluded))


def test_slots_of_one_index_are_refused() -> None:
    with pytest.raises(PlanInvalidError, match="same index"):
        place([1.0], [Slot(1, "a"), Slot(1, "b")])


@pytest.mark.parametrize("speed", [0.0, -1.0, float("nan"), float("inf")])
def test_a_slot_has_a_speed_above_zero(speed: float) -> None:
    with pytest.raises(PlanInvalidError, match="speed"):
        Slot(0, "a", speed)


def test_a_slot_has_a_core() -> None:
    with pytest.raises(PlanInvalidError, match="0 cores"):
        Slot(0, "a", cores=0)


def test_slots_are_named_by_their_rank_on_the_host() -> None:
    assert slot_names([(2, "b"), (0, "a"), (1, "b")]) == {0: "a/0", 1: "b/0", 2: "b/1"}
