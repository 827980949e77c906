"""Each finding of lint, on the smallest plan that has it and on one that has not."""

from __future__ import annotations

from collections.abc import Sequence

import attrs
from hypothesis import given, settings
from hypothesis import strategies as st

from agi_daemon.planning import Finding, LintCode, PlanView, Slot, lint_plan, place

untimed = settings(deadline=None)

SLOTS = [Slot(0, "a"), Slot(1, "a"), Slot(2, "b"), Slot(3, "b")]


def view(
    weights: Sequence[float], assignment: Sequence[int] | None = None, lower_bound: float = 0.0
) -> PlanView:
    placement = place(weights, SLOTS)
    return PlanView(
        ids=[f"p{each}" for each in range(len(weights))],
        weights=weights,
        slots=SLOTS,
        assignment=placement.assignment if assignment is None else assignment,
        lower_bound=lower_bound or placement.lower_bound,
    )


def found(plan: PlanView) -> dict[LintCode, Finding]:
    return {finding.code: finding for finding in lint_plan(plan)}


def test_a_good_plan_has_no_findings() -> None:
    assert lint_plan(view([1.0] * 40)) == ()


def test_an_empty_plan_has_no_findings() -> None:
    assert lint_plan(view([])) == ()


def test_fewer_partitions_than_slots() -> None:
    findings = found(view([1.0, 1.0]))
    assert set(findings) == {LintCode.TOO_FEW_PARTITIONS}
    finding = findings[LintCode.TOO_FEW_PARTITIONS]
    assert finding.numbers == {"partitions": 2, "slots": 4, "excess": 1.0}
    assert finding.suggestion == "split the work into 16 partitions or more"


def test_too_few_to_be_divided_evenly() -> None:
    assert set(found(view([1.0] * 5))) == {LintCode.TOO_FEW_PARTITIONS}
    assert found(view([1.0] * 8)) == {}


def test_too_many_partitions() -> None:
    finding = found(view([1.0] * 4004))[LintCode.TOO_MANY_PARTITIONS]
    assert finding.message == "4004 partitions are 1001 for each of 4 slots"
    assert finding.suggestion == "group the work into 4000 partitions or fewer"


def test_everything_on_one_host() -> None:
    findings = found(view([1.0] * 16, [0, 1] * 8))
    assert findings[LintCode.ONE_HOST].message == "all 16 partitions are on a, of 2 hosts"
    assert LintCode.IDLE_SLOTS in findings


def test_one_host_is_right_when_there_is_only_one() -> None:
    plan = attrs.evolve(view([1.0] * 16, [0, 1] * 8), drained=frozenset({"b"}))
    assert LintCode.ONE_HOST not in found(plan)


def test_idle_slots() -> None:
    finding = found(view([1.0] * 16, [0, 1, 2, 2] * 4))[LintCode.IDLE_SLOTS]
    assert finding.numbers == {"idle": 1, "slots": 4}
    assert "b/1" in finding.message


def test_a_partition_longer_than_the_ideal_finish() -> None:
    finding = found(view([1.0] * 11 + [13.0]))[LintCode.LONG_PARTITION]
    assert finding.numbers == {"weight": 13.0, "time": 13.0, "ideal": 6.0, "parts": 3}
    assert finding.suggestion == "split partition p11 into 3 or more"


def test_a_plan_that_was_edited_out_of_balance() -> None:
    finding = found(view([1.0] * 16, [0] * 13 + [1, 2, 3]))[LintCode.UNBALANCED]
    assert finding.numbers == {"finish": 13.0, "lower_bound": 4.0, "gap": 2.25}


def test_a_drained_host() -> None:
    plan = attrs.evolve(view([1.0] * 16), drained=frozenset({"b"}))
    finding = lint_plan(plan)[0]
    assert finding.code is LintCode.HOST_DRAINED
    assert finding.numbers == {"partitions": 8, "hosts": 1}
    assert finding.message == "8 partitions are on drained hosts: b"


def test_all_hosts_drained() -> None:
    plan = attrs.evolve(view([1.0] * 16), drained=frozenset({"a", "b"}))
    assert set(found(plan)) == {LintCode.HOST_DRAINED}


def test_settings_newer_than_the_plan() -> None:
    plan = attrs.evolve(view([1.0] * 16), settings_digest="old")
    assert found(plan) == {}
    assert found(attrs.evolve(plan, current_settings_digest="old")) == {}
    assert set(found(attrs.evolve(plan, current_settings_digest="new"))) == {
        LintCode.SETTINGS_NEWER
    }


@untimed
@given(st.lists(st.floats(0, 1e9), max_size=40), st.data())
def test_any_plan_can_be_linted(weights: list[float], data: st.DataObject) -> None:
    places = st.lists(st.integers(0, 3), min_size=len(weights), max_size=len(weights))
    drained = data.draw(st.frozensets(st.sampled_from(["a", "b"])))
    plan = attrs.evolve(view(weights, data.draw(places)), drained=drained)
    codes = [finding.code for finding in lint_plan(plan)]
    assert len(codes) == len(set(codes))
    assert all(finding.message and finding.suggestion for finding in lint_plan(plan))
