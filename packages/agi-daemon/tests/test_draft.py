"""A plan's draft: executors are what partitions are placed on, slots what people see."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pytest

from agi_cluster.model.requests import CreatePlan
from agi_cluster.model.selection import Selection
from agi_daemon.apps.resolution import Resolution, resolve
from agi_daemon.planning.draft import digest_of, draft, empty_slots
from agi_daemon.planning.named import Named
from agi_daemon.planning.placement import place
from agi_daemon.planning.plan_store import NewPlan
from agi_daemon.planning.seats import pins_on_seats, seats_of
from agi_daemon.planning.speeds import HostSpeed, Speeds
from agi_env.app import App
from agi_env.mode import Mode
from agi_env.runtime.partition_block import BLOCK, ids_of
from agi_env.runtime.partitions import Partition
from agi_env.settings import Settings

UNKNOWN = Speeds()


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


def drafted(
    call: Resolution,
    each: list[Partition],
    pins: Mapping[int, int] | None = None,
    speeds: Speeds = UNKNOWN,
) -> NewPlan:
    named, slots = Named.of(each), empty_slots(call.slots, speeds)
    seats = seats_of(slots)
    fixed = pins_on_seats(pins or {}, named.weights, seats)
    placement = place(named.weights, [seat for seat, _ in seats], fixed)
    return draft(
        CreatePlan(app="toy"),
        call,
        named,
        seats=seats,
        slots=slots,
        placement=placement,
        pins=pins,
    )


def assignment(new: NewPlan) -> list[int]:
    return [slot for block in new.places for slot in block.slots]


def test_a_partition_uses_one_executor_of_a_pooled_slot() -> None:
    plan = drafted(resolution(1, 4), partitions(8.0, 4.0, 4.0, 4.0)).plan
    (slot,) = plan.slots
    assert (slot.load, slot.partition_count, slot.predicted_finish) == (20.0, 4, 8.0)
    assert (slot.executors, slot.speed, slot.pace) == (4, 4.0, 1.0)
    assert plan.predicted_finish == plan.lower_bound == 8.0


def test_loads_are_those_of_the_assignment() -> None:
    weights = (5.0, 4.0, 3.0, 2.0)
    new = drafted(resolution(2, 2), partitions(*weights))
    assert sorted(slot.load for slot in new.plan.slots) == [7.0, 7.0]
    for slot in new.plan.slots:
        held = [w for w, place in zip(weights, assignment(new), strict=True) if place == slot.index]
        assert sum(held) == slot.load
        assert len(held) == slot.partition_count


def test_an_empty_plan_is_a_plan() -> None:
    new = drafted(resolution(2, 2), [])
    assert (new.plan.partition_count, new.places) == (0, [])
    assert [finding.code for finding in new.plan.findings] == ["NO_PARTITIONS"]


def test_the_digest_tells_what_is_executed_apart() -> None:
    call = resolution(2, 2)
    each = partitions(1.0, 2.0)
    first, again = drafted(call, each), drafted(call, each)
    assert first.plan.digest == again.plan.digest
    assert first.plan.etag == again.plan.etag != first.plan.digest
    moved = drafted(call, each, pins={0: assignment(first)[1], 1: assignment(first)[0]})
    assert moved.plan.digest != first.plan.digest
    pinned = drafted(call, each, pins=dict(enumerate(assignment(first))))
    assert pinned.plan.digest == first.plan.digest
    assert pinned.plan.pinned_count == 2
    relabelled = drafted(call, [Partition("p0", "other", 1.0), each[1]])
    assert relabelled.plan.digest != first.plan.digest
    slots = first.plan.slots
    assert digest_of("a", "b", slots) != digest_of("a", "b", slots[:1])


def test_what_is_doubtful_is_said() -> None:
    plan = drafted(resolution(4, 4), partitions(1.0, 1.0)).plan
    assert "TOO_FEW_PARTITIONS" in {finding.code for finding in plan.findings}
    (finding,) = [each for each in plan.findings if each.code == "TOO_FEW_PARTITIONS"]
    assert finding.numbers == {"partitions": 2, "slots": 4, "excess": 1.0}


def test_a_known_speed_is_that_of_each_executor() -> None:
    speeds = Speeds({"127.0.0.1": HostSpeed(0.5, 12)})
    plan = drafted(resolution(1, 2), partitions(4.0, 4.0), speeds=speeds).plan
    (slot,) = plan.slots
    assert (slot.speed, slot.pace, slot.timings) == (1.0, 0.5, 12)
    assert slot.predicted_finish == plan.predicted_finish == 8.0


def test_pins_to_a_pooled_slot_fill_its_executors() -> None:
    new = drafted(resolution(1, 2), partitions(3.0, 2.0, 2.0, 1.0), pins={0: 0, 1: 0, 2: 0, 3: 0})
    assert new.plan.predicted_finish == 4.0


@pytest.mark.parametrize("count", [1, BLOCK, BLOCK + 1, 2 * BLOCK + 500])
def test_ids_are_found_by_their_marks(count: int) -> None:
    named = Named.of([Partition(f"é{number}\n", "", float(number)) for number in range(count)])
    found = sorted(position for _, places in named.buckets() for position in places)
    assert found == list(range(count))
    assert len(named.weights) == count
    assert named.heaviest == (f"é{count - 1}\n", count - 1)
    assert ids_of(named.blocks[-1].columns)[-1] == f"é{count - 1}\n"
