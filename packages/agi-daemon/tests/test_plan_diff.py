"""The difference between two plans goes by the ids of partitions and the names of slots."""

from __future__ import annotations

import attrs
from hypothesis import given, settings
from hypothesis import strategies as st

from agi_cluster.model.plan import slot_names
from agi_cluster.model.plan_diff import MovedPartition, PlanDiff, ReweightedPartition
from agi_daemon.planning import diff
from agi_daemon.planning.plan_view import PlanView

untimed = settings(deadline=None)

NAMES = slot_names([(0, "a"), (1, "a"), (2, "b")])


def view(finish: float = 0.0, **places: tuple[float, int]) -> PlanView:
    return PlanView(
        ids=list(places),
        weights=[weight for weight, _ in places.values()],
        names=NAMES,
        assignment=[slot for _, slot in places.values()],
        finish=finish,
    )


def compare(before: PlanView, after: PlanView, limit: int = 1000) -> PlanDiff:
    return diff.compare(before, after, limit)


plans = st.dictionaries(
    st.sampled_from("pqrstuvw"), st.tuples(st.sampled_from([1.0, 2.0]), st.integers(0, 2))
).map(lambda places: view(**places))


def test_equal_plans_have_no_difference() -> None:
    plan = view(p=(1.0, 0), q=(2.0, 1))
    assert not compare(plan, plan)


def test_everything_that_can_differ() -> None:
    before = view(3.0, p=(1.0, 0), q=(2.0, 1), r=(3.0, 2))
    after = view(6.5, s=(4.0, 1), q=(2.5, 1), p=(1.0, 2))
    difference = compare(before, after)
    assert difference
    assert difference.moved == (MovedPartition(id="p", weight=1.0, before="a/0", after="b/0"),)
    assert difference.reweighted == (ReweightedPartition(id="q", before=2.0, after=2.5),)
    assert (difference.added, difference.removed) == (("s",), ("r",))
    assert (difference.finish_before, difference.finish_after) == (3.0, 6.5)


def test_the_order_of_partitions_does_not_matter() -> None:
    before = view(p=(1.0, 0), q=(2.0, 1))
    assert not compare(before, view(q=(2.0, 1), p=(1.0, 0)))


def test_a_host_that_joins_moves_nothing_of_the_others() -> None:
    before = view(p=(1.0, 0), q=(2.0, 2))
    names = slot_names([(0, "0-new"), (1, "a"), (2, "a"), (3, "b")])
    assert not compare(before, attrs.evolve(before, names=names, assignment=[1, 3]))


def test_a_pin_is_a_difference_and_the_words_say_so() -> None:
    before = view(p=(1.0, 0), q=(2.0, 1))
    difference = compare(before, attrs.evolve(before, pins=frozenset({1})))
    assert difference.moved_count == 1
    assert difference.words == "1 moved or pinned: q pinned"


def test_long_lists_are_cut_and_counted_whole() -> None:
    before = view(**dict.fromkeys("pqrst", (1.0, 0)))
    after = view(**dict.fromkeys("rstuvw", (2.0, 1)))
    difference = compare(before, after, limit=1)
    assert [len(difference.moved), len(difference.added), len(difference.removed)] == [1, 1, 1]
    counts = (difference.moved_count, difference.added_count, difference.removed_count)
    assert (*counts, difference.reweighted_count) == (3, 3, 2, 3)


@untimed
@given(plans, plans)
def test_the_difference_makes_one_plan_of_the_other(before: PlanView, after: PlanView) -> None:
    difference = compare(before, after)
    names = {
        id_: before.names[slot] for id_, slot in zip(before.ids, before.assignment, strict=True)
    }
    for id_ in difference.removed:
        del names[id_]
    for moved in difference.moved:
        assert names[moved.id] == moved.before
        names[moved.id] = moved.after
    later = {id_: after.names[slot] for id_, slot in zip(after.ids, after.assignment, strict=True)}
    assert names == {id_: slot for id_, slot in later.items() if id_ not in difference.added}
    assert set(difference.added) == set(later) - set(before.ids)


@untimed
@given(plans, plans)
def test_the_difference_backwards_is_the_reverse(before: PlanView, after: PlanView) -> None:
    there, back = compare(before, after), compare(after, before)
    assert (set(there.added), set(there.removed)) == (set(back.removed), set(back.added))
    assert {(each.id, each.before, each.after) for each in there.moved} == {
        (each.id, each.after, each.before) for each in back.moved
    }
