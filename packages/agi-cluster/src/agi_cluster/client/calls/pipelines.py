"""The calls of ``PipelineService``."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from agi_cluster.api.v1 import pipelines_pb2 as pb
from agi_cluster.api.v1.pipelines_pb2_grpc import PipelineServiceStub
from agi_cluster.client.call import Call, new_request_id
from agi_cluster.client.deadlines import Pace
from agi_cluster.model.pipeline import Pipeline, PipelineStep
from agi_cluster.wire.message import checked
from agi_cluster.wire.pipeline import pipeline_from_wire, step_to_wire


def get_pipeline(file: str, *, module: str = "") -> Call[Pipeline]:
    """The steps in a file, given by its absolute path, and whether they are current."""
    request = checked(pb.GetPipelineRequest)(name=file, module=module)
    return Call(
        stub=PipelineServiceStub, rpc="GetPipeline", request=request, parse=pipeline_from_wire
    )


def add_pipeline_step(
    file: str,
    step: PipelineStep,
    *,
    module: str = "",
    generated: bool = False,
    etag: str = "",
    request_id: str = "",
    validate_only: bool = False,
) -> Call[Pipeline]:
    """Add a step at the end; of a generated snippet it is recorded what it was rendered from."""
    request = checked(pb.AddPipelineStepRequest)(
        request_id=new_request_id(request_id),
        name=file,
        module=module,
        etag=etag,
        step=step_to_wire(step),
        generated=generated,
        validate_only=validate_only,
    )
    return _change("AddPipelineStep", request)


def refresh_pipeline_steps(
    file: str,
    *,
    module: str = "",
    steps: Sequence[str] = (),
    force: bool = False,
    etag: str = "",
    request_id: str = "",
    validate_only: bool = False,
) -> Call[Pipeline]:
    """Render steps anew from the settings as they are now; by default all that are stale."""
    request = checked(pb.RefreshPipelineStepsRequest)(
        request_id=new_request_id(request_id),
        name=file,
        module=module,
        etag=etag,
        steps=steps,
        force=force,
        validate_only=validate_only,
    )
    return _change("RefreshPipelineSteps", request)


def remove_pipeline_step(
    file: str,
    step: str,
    *,
    module: str = "",
    etag: str = "",
    request_id: str = "",
    validate_only: bool = False,
) -> Call[Pipeline]:
    """Remove a step on which no other depends."""
    request = checked(pb.RemovePipelineStepRequest)(
        request_id=new_request_id(request_id),
        name=file,
        module=module,
        etag=etag,
        step=step,
        validate_only=validate_only,
    )
    return _change("RemovePipelineStep", request)


def move_pipeline_step(
    file: str,
    step: str,
    position: int,
    *,
    module: str = "",
    etag: str = "",
    request_id: str = "",
    validate_only: bool = False,
) -> Call[Pipeline]:
    """Move a step to another place in the order, from 1."""
    request = checked(pb.MovePipelineStepRequest)(
        request_id=new_request_id(request_id),
        name=file,
        module=module,
        etag=etag,
        step=step,
        position=position,
        validate_only=validate_only,
    )
    return _change("MovePipelineStep", request)


def _change(rpc: str, request: Any) -> Call[Pipeline]:
    return Call(
        stub=PipelineServiceStub,
        rpc=rpc,
        request=request,
        parse=pipeline_from_wire,
        pace=Pace.CHANGE,
    )
