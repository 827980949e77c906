"""From an app's partitions to a plan that can be stored: pure but for the time and the id."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from datetime import UTC, datetime

from agi_cluster.model.plan import Plan, PlanFinding, PlanSlot
from agi_daemon.apps.resolution import Resolution
from agi_daemon.planning.lint import lint_plan
from agi_daemon.planning.placement import Placement, place
from agi_daemon.planning.plan_store import PlanContent
from agi_daemon.planning.plan_view import PlanView
from agi_daemon.planning.slots import Slot
from agi_daemon.resource_id import new_id
from agi_env.runtime.partitions import Partition
from agi_env.runtime.spec import SlotSpec


def draft(resolution: Resolution, partitions: Sequence[Partition]) -> PlanContent:
    """Place the partitions on the slots of the call; may take seconds for very many of them.

    A slot of a pool is placed on as the executors that it has: a partition uses one of them.
    """
    weights = [partition.weight for partition in partitions]
    seats = _seats(resolution.slots)
    placement = place(weights, [seat for seat, _ in seats])
    slot_of = {seat.index: slot.index for seat, slot in seats}
    assignment = [slot_of[seat] for seat in placement.assignment]
    digest = digest_of(partitions, assignment, resolution.slots)
    plan = Plan(
        id=new_id(resolution.target),
        revision=1,
        etag=digest[:16],
        app=resolution.app,
        mode=resolution.mode,
        scheduler=resolution.selection.scheduler,
        slots=_slots(resolution.slots, seats, placement),
        partition_count=len(partitions),
        total_weight=sum(placement.loads),
        predicted_finish=placement.finish,
        lower_bound=placement.lower_bound,
        selection_digest=resolution.selection.digest,
        settings_digest=resolution.settings_digest,
        digest=digest,
        create_time=datetime.now(UTC),
        args=resolution.args,
        findings=_findings(partitions, [seat for seat, _ in seats], placement),
    )
    return PlanContent(plan, partitions, assignment)


def digest_of(
    partitions: Sequence[Partition], assignment: Sequence[int], slots: Sequence[SlotSpec]
) -> str:
    """The sha256 of what a run executes: every partition and its place, every slot."""
    digest = hashlib.sha256()
    for partition, slot in zip(partitions, assignment, strict=True):
        digest.update(json.dumps([partition.to_dict(), slot], sort_keys=True).encode())
    for each in slots:
        digest.update(repr((each.index, each.host, each.cores, each.executors)).encode())
    return digest.hexdigest()


def _seats(slots: Sequence[SlotSpec]) -> list[tuple[Slot, SlotSpec]]:
    """The executors of all slots, each with its slot."""
    owners = [slot for slot in slots for _ in range(slot.executors)]
    return [
        (Slot(index=index, host=slot.host, cores=slot.cores), slot)
        for index, slot in enumerate(owners)
    ]


def _slots(
    slots: Sequence[SlotSpec], seats: Sequence[tuple[Slot, SlotSpec]], placement: Placement
) -> tuple[PlanSlot, ...]:
    """The slots with the loads of their executors summed, and the finish of the latest one."""
    loads: dict[int, list[float]] = {slot.index: [] for slot in slots}
    counts = dict.fromkeys(loads, 0)
    for (_, slot), load in zip(seats, placement.loads, strict=True):
        loads[slot.index].append(load)
    for seat in placement.assignment:
        counts[seats[seat][1].index] += 1
    return tuple(
        PlanSlot(
            index=slot.index,
            host=slot.host,
            cores=slot.cores,
            speed=float(slot.executors),
            load=sum(loads[slot.index]),
            partition_count=counts[slot.index],
            predicted_finish=max(loads[slot.index]),
        )
        for slot in slots
    )


def _findings(
    partitions: Sequence[Partition], seats: Sequence[Slot], placement: Placement
) -> tuple[PlanFinding, ...]:
    view = PlanView(
        ids=[partition.id for partition in partitions],
        weights=[partition.weight for partition in partitions],
        slots=seats,
        assignment=placement.assignment,
        lower_bound=placement.lower_bound,
    )
    return tuple(
        PlanFinding(code=each.code.value, message=each.message, suggestion=each.suggestion)
        for each in lint_plan(view)
    )
