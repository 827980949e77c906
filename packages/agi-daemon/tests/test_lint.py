"""Each finding of lint, on the smallest plan that has it and on one that has not."""

from __future__ import annotations

from collections.abc import Sequence

import attrs
from hypothesis import given, settings
from hypothesis import strategies as st

from agi_cluster.model.plan import PlanSlot
from agi_daemon.planning import Finding, LintCode, Outline, Slot, lint_plan, place

untimed = settings(deadline=None)

SLOTS = [Slot(0, "a"), Slot(1, "a"), Slot(2, "b"), Slot(3, "b")]


def view(
    weights: Sequence[float], assignment: Sequence[int] | None = None, lower_bound: float = 0.0
) -> Outline:
    placement = place(weights, SLOTS)
    places = placement.assignment if assignment is None else assignment
    held = {
        slot.index: [w for w, at in zip(weights, places, strict=True) if at == slot.index]
        for slot in SLOTS
    }
    heaviest = max(weights, default=0.0)
    return Outline(
        slots=[
            PlanSlot(
                index=slot.index,
                host=slot.host,
                cores=1,
                load=sum(held[slot.index]),
                partition_count=len(held[slot.index]),
                predicted_finish=sum(held[slot.index]),
            )
            for slot in SLOTS
        ],
        partitions=len(weights),
        weight=sum(weights),
        heaviest_id=f"p{list(weights).index(heaviest)}" if weights else "",
        heaviest=heaviest,
        lower_bound=lower_bound or placement.lower_bound,
    )


def found(plan: Outline) -> dict[LintCode, Finding]:
    return {finding.code: finding for finding in lint_plan(plan)}


def test_a_good_plan_has_no_findings() -> None:
    assert lint_plan(view([1.0] * 40)) == ()


def test_an_empty_plan_has_the_one_finding_that_it_is_empty() -> None:
    (finding,) = lint_plan(view([]))
    assert finding.code is LintCode.NO_PARTITIONS
    assert "partitions() named nothing" in finding.message


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
    plan = attrs.evolve(view([1.0] * 16), changes=("args.n was 1 and is 2",), name="plans/x")
    (finding,) = lint_plan(plan)
    assert finding.code is LintCode.SETTINGS_NEWER
    assert finding.message.endswith("after this plan was made: args.n was 1 and is 2")
    assert finding.suggestion.startswith("`agi distribute APP --rebase plans/x`")


def test_a_suggested_edit_is_a_command_with_the_plan_in_it() -> None:
    plan = attrs.evolve(view([1.0] * 16, [0] * 13 + [1, 2, 3]), name="plans/x")
    assert found(plan)[LintCode.UNBALANCED].suggestion == "`agi plans rebalance plans/x`"
    all_pinned = attrs.evolve(plan, pinned=16)
    assert "agi plans unpin plans/x --all" in found(all_pinned)[LintCode.UNBALANCED].suggestion
    drained = attrs.evolve(plan, drained=frozenset({"b"}))
    suggestion = found(drained)[LintCode.HOST_DRAINED].suggestion
    assert suggestion == "`agi plans rebalance plans/x --without b`"


@untimed
@given(st.lists(st.floats(0, 1e9), max_size=40), st.data())
def test_any_plan_can_be_linted(weights: list[float], data: st.DataObject) -> None:
    places = st.lists(st.integers(0, 3), min_size=len(weights), max_size=len(weights))
    drained = data.draw(st.frozensets(st.sampled_from(["a", "b"])))
    plan = attrs.evolve(view(weights, data.draw(places)), drained=drained)
    codes = [finding.code for finding in lint_plan(plan)]
    assert len(codes) == len(set(codes))
    assert all(finding.message and finding.suggestion for finding in lint_plan(plan))
