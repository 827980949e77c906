"""From an app's partitions to a plan that can be stored: pure but for the time and the id."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from datetime import UTC, datetime

from agi_cluster.model.plan import Plan, PlanSlot
from agi_daemon.apps.resolution import Resolution
from agi_daemon.planning.placement import Placement, place
from agi_daemon.planning.plan_store import PlanContent
from agi_daemon.planning.slots import Slot
from agi_daemon.resource_id import new_id
from agi_env.runtime.partitions import Partition
from agi_env.runtime.spec import SlotSpec


def draft(resolution: Resolution, partitions: Sequence[Partition]) -> PlanContent:
    """Place the partitions on the slots of the call; may take seconds for very many of them."""
    slots = [
        Slot(index=slot.index, host=slot.host, cores=slot.cores, speed=float(slot.executors))
        for slot in resolution.slots
    ]
    placement = place([partition.weight for partition in partitions], slots)
    plan_slots = _slots(resolution.slots, slots, placement)
    digest = digest_of(partitions, placement.assignment, resolution.slots)
    plan = Plan(
        id=new_id(resolution.target),
        revision=1,
        etag=digest[:16],
        app=resolution.app,
        mode=resolution.mode,
        scheduler=resolution.selection.scheduler,
        slots=plan_slots,
        partition_count=len(partitions),
        total_weight=sum(placement.loads),
        predicted_finish=placement.finish,
        lower_bound=placement.lower_bound,
        selection_digest=resolution.selection.digest,
        settings_digest=resolution.settings_digest,
        digest=digest,
        create_time=datetime.now(UTC),
        args=resolution.args,
    )
    return PlanContent(plan, partitions, placement.assignment)


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


def _slots(
    specs: Sequence[SlotSpec], slots: Sequence[Slot], placement: Placement
) -> tuple[PlanSlot, ...]:
    counts = {spec.index: 0 for spec in specs}
    for index in placement.assignment:
        counts[index] += 1
    return tuple(
        PlanSlot(
            index=slot.index,
            host=slot.host,
            cores=slot.cores,
            speed=slot.speed,
            load=load,
            partition_count=counts[slot.index],
            predicted_finish=load / slot.speed,
        )
        for slot, load in zip(slots, placement.loads, strict=True)
    )
