"""``agi.v1.PipelineService``."""

from __future__ import annotations

from typing import Any

from agi_cluster.api.v1 import pipelines_pb2 as pb
from agi_cluster.api.v1 import pipelines_pb2_grpc
from agi_cluster.model.services import PipelineService
from agi_cluster.wire.pipeline import pipeline_to_wire, step_from_wire
from agi_daemon.interceptors.surround import Context
from agi_daemon.servicers import fields


class PipelineServicer(pipelines_pb2_grpc.PipelineServiceServicer):
    """Offers the pipelines of a core."""

    def __init__(self, pipelines: PipelineService) -> None:
        self._pipelines = pipelines

    async def GetPipeline(self, request: pb.GetPipelineRequest, context: Context) -> pb.Pipeline:
        pipeline = await self._pipelines.get_pipeline(_file(request), module=request.module)
        return pipeline_to_wire(pipeline)

    async def AddPipelineStep(
        self, request: pb.AddPipelineStepRequest, context: Context
    ) -> pb.Pipeline:
        pipeline = await self._pipelines.add_pipeline_step(
            _file(request),
            step_from_wire(request.step),
            generated=request.generated,
            **_edit(request),
        )
        return pipeline_to_wire(pipeline)

    async def RefreshPipelineSteps(
        self, request: pb.RefreshPipelineStepsRequest, context: Context
    ) -> pb.Pipeline:
        pipeline = await self._pipelines.refresh_pipeline_steps(
            _file(request), steps=tuple(request.steps), force=request.force, **_edit(request)
        )
        return pipeline_to_wire(pipeline)

    async def RemovePipelineStep(
        self, request: pb.RemovePipelineStepRequest, context: Context
    ) -> pb.Pipeline:
        step = fields.required(request.step, "step")
        pipeline = await self._pipelines.remove_pipeline_step(
            _file(request), step, **_edit(request)
        )
        return pipeline_to_wire(pipeline)

    async def MovePipelineStep(
        self, request: pb.MovePipelineStepRequest, context: Context
    ) -> pb.Pipeline:
        step = fields.required(request.step, "step")
        pipeline = await self._pipelines.move_pipeline_step(
            _file(request), step, request.position, **_edit(request)
        )
        return pipeline_to_wire(pipeline)


def _file(request: Any) -> str:
    return fields.absolute_path(request.name, "name")


def _edit(request: Any) -> dict[str, Any]:
    return {"module": request.module, "etag": request.etag, **fields.mutation(request)}
