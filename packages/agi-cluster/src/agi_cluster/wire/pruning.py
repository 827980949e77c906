"""Pruning: the policy and what it takes."""

from __future__ import annotations

from agi_cluster.api.v1 import runs_pb2 as pb
from agi_cluster.model.pruning import PrunedPipelineRun, PrunedRun, PrunePolicy, Pruning
from agi_cluster.wire.message import checked
from agi_cluster.wire.name import resource_id
from agi_cluster.wire.pipeline_run import COLLECTION
from agi_cluster.wire.time import optional_time, time_to_wire


def prune_runs_to_wire(
    policy: PrunePolicy, *, request_id: str, validate_only: bool
) -> pb.PruneRunsRequest:
    """The request that a policy makes."""
    return checked(pb.PruneRunsRequest)(
        request_id=request_id,
        older_than_seconds=policy.older_than,
        keep=policy.keep,
        events_older_than_seconds=policy.events_older_than,
        requests_older_than_seconds=policy.requests_older_than,
        validate_only=validate_only,
    )


def pruning_to_wire(pruning: Pruning) -> pb.Pruning:
    """What was forgotten, as a message."""
    return pb.Pruning(
        name=f"prunings/{pruning.id}",
        runs=[_run_to_wire(run) for run in pruning.runs],
        pipeline_runs=[_pipeline_run_to_wire(run) for run in pruning.pipeline_runs],
        events=pruning.events,
        requests=pruning.requests,
    )


def pruning_from_wire(pruning: pb.Pruning) -> Pruning:
    """What was forgotten, from a message."""
    return Pruning(
        id=pruning.name.removeprefix("prunings/"),
        runs=tuple(_run_from_wire(run) for run in pruning.runs),
        pipeline_runs=tuple(_pipeline_run_from_wire(run) for run in pruning.pipeline_runs),
        events=pruning.events,
        requests=pruning.requests,
    )


def _run_to_wire(run: PrunedRun) -> pb.Pruning.PrunedRun:
    return pb.Pruning.PrunedRun(
        run=f"runs/{run.id}",
        app=run.app,
        end_time=time_to_wire(run.end_time),
        bytes=run.bytes,
        kept=run.kept,
        problem=run.problem,
    )


def _run_from_wire(run: pb.Pruning.PrunedRun) -> PrunedRun:
    return PrunedRun(
        id=run.run.removeprefix("runs/"),
        app=run.app,
        end_time=optional_time(run, "end_time"),
        bytes=run.bytes,
        kept=run.kept,
        problem=run.problem,
    )


def _pipeline_run_to_wire(run: PrunedPipelineRun) -> pb.Pruning.PrunedPipelineRun:
    return pb.Pruning.PrunedPipelineRun(
        pipeline_run=f"{COLLECTION}/{run.id}",
        file=run.file,
        module=run.module,
        end_time=time_to_wire(run.end_time),
        bytes=run.bytes,
        problem=run.problem,
    )


def _pipeline_run_from_wire(run: pb.Pruning.PrunedPipelineRun) -> PrunedPipelineRun:
    return PrunedPipelineRun(
        id=resource_id(COLLECTION, run.pipeline_run),
        file=run.file,
        module=run.module,
        end_time=optional_time(run, "end_time"),
        bytes=run.bytes,
        problem=run.problem,
    )
