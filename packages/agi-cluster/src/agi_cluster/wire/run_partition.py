"""Partitions of runs."""

from __future__ import annotations

from agi_cluster.api.v1 import runs_pb2 as pb
from agi_cluster.model.run import PartitionState, RunPartition
from agi_cluster.wire.cause import cause_from_wire, cause_to_wire
from agi_cluster.wire.errors import error_from_wire, error_to_wire
from agi_cluster.wire.state import enum_from_wire, enum_to_wire
from agi_cluster.wire.time import optional_time, time_to_wire


def run_partition_to_wire(partition: RunPartition) -> pb.RunPartition:
    """The partition as a message."""
    return pb.RunPartition(
        id=partition.id,
        label=partition.label,
        weight=partition.weight,
        state=enum_to_wire(pb.RunPartition.State, partition.state),
        slot=partition.slot,
        attempts=partition.attempts,
        seconds=partition.seconds,
        cpu_seconds=partition.cpu_seconds,
        error=error_to_wire(partition.error),
        traceback=partition.traceback,
        start_time=time_to_wire(partition.start_time),
        moved_because=partition.moved_because,
        cause=cause_to_wire(partition.cause),
        executor_deaths=partition.executor_deaths,
        quarantined=partition.quarantined,
        inherited_from=f"runs/{partition.inherited_from}" if partition.inherited_from else "",
    )


def run_partition_from_wire(partition: pb.RunPartition) -> RunPartition:
    """The partition in a message."""
    return RunPartition(
        id=partition.id,
        label=partition.label,
        weight=partition.weight,
        state=enum_from_wire(PartitionState, pb.RunPartition.State, partition.state),
        slot=partition.slot,
        attempts=partition.attempts,
        seconds=partition.seconds,
        cpu_seconds=partition.cpu_seconds,
        error=error_from_wire(partition.error),
        traceback=partition.traceback,
        start_time=optional_time(partition, "start_time"),
        moved_because=partition.moved_because,
        cause=cause_from_wire(partition.cause),
        executor_deaths=partition.executor_deaths,
        quarantined=partition.quarantined,
        inherited_from=partition.inherited_from.removeprefix("runs/"),
    )
