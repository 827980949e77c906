"""Distribution plans and their partitions."""

from __future__ import annotations

from agi_cluster.api.v1 import plans_pb2 as pb
from agi_cluster.model.plan import Plan, PlanFinding, PlannedPartition, PlanSlot
from agi_cluster.wire.json_value import (
    struct_from_wire,
    struct_to_wire,
    value_from_wire,
    value_to_wire,
)
from agi_cluster.wire.name import app_reference, plan_revision
from agi_cluster.wire.time import time_from_wire, time_to_wire
from agi_env.mode import Mode


def plan_to_wire(plan: Plan) -> pb.Plan:
    """The plan as a message."""
    return pb.Plan(
        name=plan.name,
        revision=plan.revision,
        etag=plan.etag,
        app=f"apps/{plan.app}",
        mode=int(plan.mode),
        slots=[_slot_to_wire(slot) for slot in plan.slots],
        partition_count=plan.partition_count,
        total_weight=plan.total_weight,
        predicted_finish=plan.predicted_finish,
        lower_bound=plan.lower_bound,
        selection_digest=plan.selection_digest,
        settings_digest=plan.settings_digest,
        digest=plan.digest,
        args=struct_to_wire(plan.args, where="args"),
        create_time=time_to_wire(plan.create_time),
        findings=[finding_to_wire(finding) for finding in plan.findings],
        scheduler=plan.scheduler,
        slot_count=plan.slot_count,
        pinned_count=plan.pinned_count,
        change=plan.change,
        base_revision=plan.base_revision,
        weight_per_second=plan.weight_per_second,
        printed=plan.printed,
    )


def plan_from_wire(plan: pb.Plan) -> Plan:
    """The plan in a message."""
    return Plan(
        id=plan_revision(plan.name)[0],
        revision=plan.revision,
        etag=plan.etag,
        app=app_reference(plan.app),
        mode=Mode.parse(plan.mode),
        scheduler=plan.scheduler,
        slots=tuple(_slot_from_wire(slot) for slot in plan.slots),
        partition_count=plan.partition_count,
        total_weight=plan.total_weight,
        predicted_finish=plan.predicted_finish,
        lower_bound=plan.lower_bound,
        selection_digest=plan.selection_digest,
        settings_digest=plan.settings_digest,
        digest=plan.digest,
        create_time=time_from_wire(plan.create_time),
        args=struct_from_wire(plan.args),
        findings=tuple(finding_from_wire(finding) for finding in plan.findings),
        slot_count=plan.slot_count,
        pinned_count=plan.pinned_count,
        change=plan.change,
        base_revision=plan.base_revision,
        weight_per_second=plan.weight_per_second,
        printed=plan.printed,
    )


def planned_partition_to_wire(partition: PlannedPartition) -> pb.PlannedPartition:
    """The partition as a message."""
    return pb.PlannedPartition(
        id=partition.id,
        label=partition.label,
        weight=partition.weight,
        payload=value_to_wire(partition.payload, where="payload"),
        slot=partition.slot,
        host=partition.host,
        index=partition.index,
        pinned=partition.pinned,
    )


def planned_partition_from_wire(partition: pb.PlannedPartition) -> PlannedPartition:
    """The partition in a message."""
    return PlannedPartition(
        index=partition.index,
        id=partition.id,
        label=partition.label,
        weight=partition.weight,
        payload=value_from_wire(partition.payload),
        slot=partition.slot,
        host=partition.host,
        pinned=partition.pinned,
    )


def _slot_to_wire(slot: PlanSlot) -> pb.PlanSlot:
    return pb.PlanSlot(
        index=slot.index,
        host=slot.host,
        cores=slot.cores,
        speed=slot.speed,
        load=slot.load,
        partition_count=slot.partition_count,
        predicted_finish=slot.predicted_finish,
        executors=slot.executors,
        timings=slot.timings,
    )


def _slot_from_wire(slot: pb.PlanSlot) -> PlanSlot:
    return PlanSlot(
        index=slot.index,
        host=slot.host,
        cores=slot.cores,
        speed=slot.speed,
        load=slot.load,
        partition_count=slot.partition_count,
        predicted_finish=slot.predicted_finish,
        executors=slot.executors,
        timings=slot.timings,
    )


def finding_to_wire(finding: PlanFinding) -> pb.PlanFinding:
    """The finding as a message."""
    return pb.PlanFinding(
        code=finding.code,
        message=finding.message,
        suggestion=finding.suggestion,
        numbers=finding.numbers,
    )


def finding_from_wire(finding: pb.PlanFinding) -> PlanFinding:
    """The finding in a message."""
    return PlanFinding(
        code=finding.code,
        message=finding.message,
        suggestion=finding.suggestion,
        numbers=dict(finding.numbers),
    )
