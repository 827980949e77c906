"""The calls of ``PipelineRunService``."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from agi_cluster.api.v1 import pipeline_runs_pb2 as pb
from agi_cluster.api.v1.pipeline_runs_pb2_grpc import PipelineRunServiceStub
from agi_cluster.client.call import Call, Stream, Watch, new_request_id
from agi_cluster.client.deadlines import Pace
from agi_cluster.model.event import Event
from agi_cluster.model.page import Page
from agi_cluster.model.pipeline_run import PipelineRun
from agi_cluster.wire.message import checked
from agi_cluster.wire.name import resource_name
from agi_cluster.wire.page import page_from_wire
from agi_cluster.wire.pipeline_run import (
    COLLECTION,
    pipeline_run_from_wire,
    pipeline_run_update_from_wire,
)


def start_pipeline_run(
    file: str,
    *,
    module: str = "",
    steps: Sequence[str] = (),
    refresh: bool = False,
    allow_stale: bool = False,
    request_id: str = "",
    validate_only: bool = False,
) -> Call[PipelineRun]:
    """Have an execution of the steps in a file accepted."""
    request = checked(pb.StartPipelineRunRequest)(
        request_id=new_request_id(request_id),
        file=file,
        module=module,
        steps=steps,
        refresh=refresh,
        allow_stale=allow_stale,
        validate_only=validate_only,
    )
    return _change("StartPipelineRun", request)


def rerun_pipeline(
    name: str, *, request_id: str = "", validate_only: bool = False
) -> Call[PipelineRun]:
    """Execute exactly what an earlier execution did."""
    request = checked(pb.RerunPipelineRequest)(
        request_id=new_request_id(request_id),
        name=resource_name(COLLECTION, name),
        validate_only=validate_only,
    )
    return _change("RerunPipeline", request)


def resume_pipeline_run(
    name: str, *, allow_stale: bool = False, request_id: str = "", validate_only: bool = False
) -> Call[PipelineRun]:
    """Go on with a settled execution: only what has not succeeded, or was changed since."""
    request = checked(pb.ResumePipelineRunRequest)(
        request_id=new_request_id(request_id),
        name=resource_name(COLLECTION, name),
        allow_stale=allow_stale,
        validate_only=validate_only,
    )
    return _change("ResumePipelineRun", request)


def retry_pipeline_step(
    name: str, step: str, *, request_id: str = "", validate_only: bool = False
) -> Call[PipelineRun]:
    """Execute one step again: in the execution while it goes on, else in a new one."""
    request = checked(pb.RetryPipelineStepRequest)(
        request_id=new_request_id(request_id),
        name=resource_name(COLLECTION, name),
        step=step,
        validate_only=validate_only,
    )
    return _change("RetryPipelineStep", request)


def get_pipeline_run(name: str) -> Call[PipelineRun]:
    """One execution."""
    request = checked(pb.GetPipelineRunRequest)(name=resource_name(COLLECTION, name))
    return Call(
        stub=PipelineRunServiceStub,
        rpc="GetPipelineRun",
        request=request,
        parse=pipeline_run_from_wire,
    )


def list_pipeline_runs(
    *, page_size: int = 0, page_token: str = "", file: str = ""
) -> Call[Page[PipelineRun]]:
    """A page of the executions, newest first, without the code of their steps."""
    request = checked(pb.ListPipelineRunsRequest)(
        page_size=page_size, page_token=page_token, file=file
    )
    return Call(stub=PipelineRunServiceStub, rpc="ListPipelineRuns", request=request, parse=_page)


def watch_pipeline_run(name: str, *, after_sequence: int = 0) -> Watch[PipelineRun | Event]:
    """Follow an execution: snapshot, events, last snapshot, each with its number."""
    full = resource_name(COLLECTION, name)

    def request(after: int) -> pb.WatchPipelineRunRequest:
        return checked(pb.WatchPipelineRunRequest)(name=full, after_sequence=after)

    return Watch(
        stub=PipelineRunServiceStub,
        rpc="WatchPipelineRun",
        request=request,
        after_sequence=after_sequence,
        parse=pipeline_run_update_from_wire,
    )


def cancel_pipeline_run(
    name: str,
    *,
    step: str = "",
    grace_seconds: float | None = None,
    request_id: str = "",
    validate_only: bool = False,
) -> Call[PipelineRun]:
    """Ask an execution, or one step of it, to stop, with the runs that it started."""
    request = checked(pb.CancelPipelineRunRequest)(
        request_id=new_request_id(request_id),
        name=resource_name(COLLECTION, name),
        step=step,
        grace_seconds=grace_seconds,
        validate_only=validate_only,
    )
    return _change("CancelPipelineRun", request)


def read_pipeline_run_log(
    name: str, *, step: str = "", follow: bool = False
) -> Stream[tuple[str, str]]:
    """The text that steps printed, in pieces, each with its step."""
    request = checked(pb.ReadPipelineRunLogRequest)(
        name=resource_name(COLLECTION, name), step=step, follow=follow
    )
    return Stream(
        stub=PipelineRunServiceStub,
        rpc="ReadPipelineRunLog",
        request=request,
        parse=_piece,
        pace=Pace.FOLLOW if follow else Pace.LOG,
    )


def _change(rpc: str, request: Any) -> Call[PipelineRun]:
    return Call(
        stub=PipelineRunServiceStub,
        rpc=rpc,
        request=request,
        parse=pipeline_run_from_wire,
        pace=Pace.CHANGE,
    )


def _page(response: pb.ListPipelineRunsResponse) -> Page[PipelineRun]:
    return page_from_wire(response.pipeline_runs, response.next_page_token, pipeline_run_from_wire)


def _piece(response: pb.ReadPipelineRunLogResponse) -> tuple[str, str]:
    return response.step, response.text
