"""``agi.v1.PipelineRunService``."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

from agi_cluster.api.v1 import pipeline_runs_pb2 as pb
from agi_cluster.api.v1 import pipeline_runs_pb2_grpc
from agi_cluster.model.services import PipelineRunService
from agi_cluster.wire.name import resource_name
from agi_cluster.wire.pipeline_run import (
    COLLECTION,
    pipeline_run_to_wire,
    pipeline_run_update_to_wire,
)
from agi_daemon.interceptors.surround import Context
from agi_daemon.servicers import fields
from agi_daemon.servicers.stream import packed


class PipelineRunServicer(pipeline_runs_pb2_grpc.PipelineRunServiceServicer):
    """Offers the executions of a core."""

    def __init__(self, runs: PipelineRunService) -> None:
        self._runs = runs

    async def StartPipelineRun(
        self, request: pb.StartPipelineRunRequest, context: Context
    ) -> pb.PipelineRun:
        run = await self._runs.start_pipeline_run(
            fields.absolute_path(request.file, "file"),
            module=request.module,
            steps=tuple(request.steps),
            refresh=request.refresh,
            allow_stale=request.allow_stale,
            **fields.mutation(request),
        )
        return pipeline_run_to_wire(run)

    async def RerunPipeline(
        self, request: pb.RerunPipelineRequest, context: Context
    ) -> pb.PipelineRun:
        run = await self._runs.rerun_pipeline(_name(request), **fields.mutation(request))
        return pipeline_run_to_wire(run)

    async def ResumePipelineRun(
        self, request: pb.ResumePipelineRunRequest, context: Context
    ) -> pb.PipelineRun:
        run = await self._runs.resume_pipeline_run(
            _name(request), allow_stale=request.allow_stale, **fields.mutation(request)
        )
        return pipeline_run_to_wire(run)

    async def RetryPipelineStep(
        self, request: pb.RetryPipelineStepRequest, context: Context
    ) -> pb.PipelineRun:
        step = fields.required(request.step, "step")
        run = await self._runs.retry_pipeline_step(_name(request), step, **fields.mutation(request))
        return pipeline_run_to_wire(run)

    async def GetPipelineRun(
        self, request: pb.GetPipelineRunRequest, context: Context
    ) -> pb.PipelineRun:
        return pipeline_run_to_wire(await self._runs.get_pipeline_run(_name(request)))

    async def ListPipelineRuns(
        self, request: pb.ListPipelineRunsRequest, context: Context
    ) -> pb.ListPipelineRunsResponse:
        page = await self._runs.list_pipeline_runs(file=request.file, **fields.page(request))
        return pb.ListPipelineRunsResponse(
            pipeline_runs=[pipeline_run_to_wire(run) for run in page.items],
            next_page_token=page.next_page_token,
        )

    def WatchPipelineRun(
        self, request: pb.WatchPipelineRunRequest, context: Context
    ) -> AsyncIterator[pb.WatchPipelineRunResponse]:
        updates = self._runs.watch_pipeline_run(
            _name(request),
            after_sequence=fields.not_negative(request.after_sequence, "after_sequence"),
        )
        return packed(updates, lambda update: pipeline_run_update_to_wire(*update))

    async def CancelPipelineRun(
        self, request: pb.CancelPipelineRunRequest, context: Context
    ) -> pb.PipelineRun:
        run = await self._runs.cancel_pipeline_run(
            _name(request),
            step=request.step,
            grace_seconds=fields.seconds(request, "grace_seconds"),
            **fields.mutation(request),
        )
        return pipeline_run_to_wire(run)

    def ReadPipelineRunLog(
        self, request: pb.ReadPipelineRunLogRequest, context: Context
    ) -> AsyncIterator[pb.ReadPipelineRunLogResponse]:
        pieces = self._runs.read_pipeline_run_log(
            _name(request), step=request.step, follow=request.follow
        )
        return packed(
            pieces, lambda piece: pb.ReadPipelineRunLogResponse(step=piece[0], text=piece[1])
        )


def _name(request: Any) -> str:
    return resource_name(COLLECTION, request.name)
