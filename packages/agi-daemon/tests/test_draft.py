"""A plan's draft: executors are what partitions are placed on, slots what people see."""

from __future__ import annotations

from pathlib import Path

from agi_cluster.model.selection import Selection
from agi_daemon.apps.resolution import Resolution, resolve
from agi_daemon.planning.draft import digest_of, draft
from agi_env.app import App
from agi_env.mode import Mode
from agi_env.runtime.partitions import Partition
from agi_env.settings import Settings


def resolution(slots: int, cores: int, mode: Mode = Mode.POOL) -> Resolution:
    return resolve(
        App(Path("/apps/toy_project")),
        Settings(),
        cores_of=lambda _: cores,
        selection=Selection(workers={"127.0.0.1": slots}),
        mode=mode,
    )


def partitions(*weights: float) -> list[Partition]:
    return [Partition(f"p{number}", f"P {number}", w) for number, w in enumerate(weights)]


def test_a_partition_uses_one_executor_of_a_pooled_slot() -> None:
    content = draft(resolution(1, 4), partitions(8.0, 4.0, 4.0, 4.0))
    (slot,) = content.plan.slots
    assert (slot.load, slot.partition_count, slot.predicted_finish) == (20.0, 4, 8.0)
    assert content.plan.predicted_finish == content.plan.lower_bound == 8.0


def test_loads_are_those_of_the_assignment() -> None:
    content = draft(resolution(2, 2), partitions(5.0, 4.0, 3.0, 2.0))
    assert sorted(slot.load for slot in content.plan.slots) == [7.0, 7.0]
    for slot in content.plan.slots:
        weights = [
            partition.weight
            for partition, place in zip(content.partitions, content.assignment, strict=True)
            if place == slot.index
        ]
        assert sum(weights) == slot.load


def test_an_empty_plan_is_a_plan() -> None:
    content = draft(resolution(2, 2), [])
    assert content.plan.partition_count == 0
    assert content.plan.findings == ()


def test_the_digest_tells_assignments_apart() -> None:
    each, specs = partitions(1.0, 2.0), resolution(2, 2).slots
    assert digest_of(each, [0, 1], specs) != digest_of(each, [1, 0], specs)
    assert digest_of(each, [0, 1], specs) == digest_of(list(each), (0, 1), specs)


def test_what_is_doubtful_is_said() -> None:
    content = draft(resolution(4, 4), partitions(1.0, 1.0))
    codes = {finding.code for finding in content.plan.findings}
    assert "TOO_FEW_PARTITIONS" in codes
