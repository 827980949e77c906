"""Spec and plan of a run: what is written is read back, what is damaged is refused."""

from __future__ import annotations

import json
import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agi_env.errors import PlanInvalidError, StateUnreadableError
from agi_env.runtime.base_worker import BaseWorker, has_reduce, has_work
from agi_env.runtime.partitions import Partition
from agi_env.runtime.spec import RunPlan, RunSpec, SlotSpec

SPEC = RunSpec(
    run_id="flights-1",
    app="flights_project",
    target="flights",
    mode=1,
    data_in="/in",
    data_out="/out",
    build="/builds/x",
    release="sha256:r",
    plan_digest="sha256:p",
    slots=(SlotSpec(0, "127.0.0.1", cores=2, executors=2), SlotSpec(1, "127.0.0.1")),
    args={"months": [1, 2]},
)
PLAN = RunPlan("plan-1", 2, (Partition("a", "A"), Partition("b", "B", 2.5, {"n": 1})), (0, 1))


def test_spec_and_plan_come_back_equal() -> None:
    assert RunSpec.from_json(SPEC.to_json()) == SPEC
    assert RunPlan.from_json(PLAN.to_json()) == PLAN


def test_a_key_of_a_newer_version_is_left_aside() -> None:
    later = {**json.loads(SPEC.to_json()), "colour": "green"}

    assert RunSpec.from_json(json.dumps(later)) == SPEC


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"schema": "agi.run_spec.v2"}', b"\xff"])
def test_what_is_no_spec_and_no_plan_is_refused(text: str | bytes) -> None:
    for kind in (RunSpec, RunPlan):
        with pytest.raises(StateUnreadableError):
            kind.from_json(text)


def test_a_spec_with_a_missing_field_is_refused() -> None:
    facts = json.loads(SPEC.to_json())
    del facts["target"]

    with pytest.raises(StateUnreadableError, match="target"):
        RunSpec.from_json(json.dumps(facts))


def test_a_plan_is_checked_against_the_slots() -> None:
    PLAN.check(SPEC.slots)
    twice = RunPlan("p", 1, (Partition("a", "A"), Partition("a", "B")), (0, 0))
    nowhere = RunPlan("p", 1, (Partition("a", "A"),), (7,))
    short = RunPlan("p", 1, (Partition("a", "A"),), ())

    for plan, what in ((twice, "same id"), (nowhere, "no slot"), (short, "no slot")):
        with pytest.raises(PlanInvalidError, match=what):
            plan.check(SPEC.slots)


def test_a_partition_has_good_defaults() -> None:
    assert Partition.of("JFK 1") == Partition("JFK 1", "JFK 1", 1.0, None)
    assert Partition.of("a", "A", 3, (1, 2)) == Partition("a", "A", 3.0, [1, 2])


@pytest.mark.parametrize(
    "given_values",
    [
        {"id": ""},
        {"id": 3},
        {"id": "x" * 513},
        {"id": "a", "label": 3},
        {"id": "a", "weight": -1},
        {"id": "a", "weight": math.nan},
        {"id": "a", "weight": math.inf},
        {"id": "a", "weight": "2"},
        {"id": "a", "weight": None},
        {"id": "a", "payload": {1, 2}},
        {"id": "a", "payload": math.nan},
    ],
)
def test_a_partition_that_cannot_be_used_is_refused(given_values: dict[str, Any]) -> None:
    with pytest.raises(PlanInvalidError):
        Partition.of(**given_values)


@given(st.text(min_size=1, max_size=512), st.text(), st.floats(0, allow_infinity=False))
def test_any_usable_partition_survives_a_plan(name: str, label: str, weight: float) -> None:
    plan = RunPlan("p", 1, (Partition.of(name, label, weight, [name]),), (0,))

    assert RunPlan.from_json(plan.to_json()) == plan


class Lazy(BaseWorker):
    """Forgets its work."""


class Duck:
    """Needs no base class."""

    def work(self, _partition: Partition, _out: object) -> int:
        return 1

    def reduce(self, results: list[Any]) -> int:
        return len(results)


def test_what_a_worker_class_can_do_is_known() -> None:
    assert (has_work(Lazy), has_reduce(Lazy)) == (False, False)
    assert (has_work(Duck), has_reduce(Duck)) == (True, True)
    assert not has_work(int)
