"""Executions of pipelines and their updates."""

from __future__ import annotations

from agi_cluster.api.v1 import pipeline_runs_pb2 as pb
from agi_cluster.model.event import Event
from agi_cluster.model.pipeline import StepState
from agi_cluster.model.pipeline_run import (
    LinkedResource,
    PipelineRun,
    PipelineRunState,
    StepExecution,
    StepOutput,
)
from agi_cluster.wire.errors import error_from_wire, error_to_wire
from agi_cluster.wire.event import event_from_wire, event_to_wire
from agi_cluster.wire.name import resource_id
from agi_cluster.wire.snippet import facts_from_wire, facts_to_wire
from agi_cluster.wire.state import enum_from_wire, enum_to_wire
from agi_cluster.wire.time import optional_time, time_from_wire, time_to_wire

COLLECTION = "pipelineRuns"


def pipeline_run_to_wire(run: PipelineRun) -> pb.PipelineRun:
    """The execution as a message."""
    return pb.PipelineRun(
        name=f"{COLLECTION}/{run.id}",
        file=run.file,
        module=run.module,
        state=enum_to_wire(pb.PipelineRun.State, run.state),
        target=enum_to_wire(pb.PipelineRun.State, run.target),
        etag=run.etag,
        steps=[_step_to_wire(step) for step in run.steps],
        create_time=time_to_wire(run.create_time),
        end_time=time_to_wire(run.end_time),
        error=error_to_wire(run.error),
        origin=f"{COLLECTION}/{run.origin}" if run.origin else "",
        warnings=run.warnings,
    )


def pipeline_run_from_wire(run: pb.PipelineRun) -> PipelineRun:
    """The execution in a message."""
    return PipelineRun(
        id=resource_id(COLLECTION, run.name),
        file=run.file,
        module=run.module,
        state=enum_from_wire(PipelineRunState, pb.PipelineRun.State, run.state),
        target=enum_from_wire(PipelineRunState, pb.PipelineRun.State, run.target),
        etag=run.etag,
        steps=tuple(_step_from_wire(step) for step in run.steps),
        create_time=time_from_wire(run.create_time),
        end_time=optional_time(run, "end_time"),
        error=error_from_wire(run.error),
        origin=resource_id(COLLECTION, run.origin) if run.origin else "",
        warnings=tuple(run.warnings),
    )


def pipeline_run_update_to_wire(
    update: PipelineRun | Event, sequence: int
) -> pb.WatchPipelineRunResponse:
    """One message of a watch."""
    if isinstance(update, Event):
        return pb.WatchPipelineRunResponse(event=event_to_wire(update), sequence=sequence)
    return pb.WatchPipelineRunResponse(snapshot=pipeline_run_to_wire(update), sequence=sequence)


def pipeline_run_update_from_wire(
    response: pb.WatchPipelineRunResponse,
) -> tuple[PipelineRun | Event, int]:
    """The snapshot or event in a message of a watch, and the number it includes."""
    if response.WhichOneof("update") == "event":
        return event_from_wire(response.event), response.sequence
    return pipeline_run_from_wire(response.snapshot), response.sequence


def optional_step_state_to_wire(state: StepState | None) -> pb.StepExecution.State.ValueType:
    """The state as a number; None is the one that is unspecified."""
    if state is None:
        return pb.StepExecution.STATE_UNSPECIFIED
    number: pb.StepExecution.State.ValueType = enum_to_wire(pb.StepExecution.State, state)
    return number


def optional_step_state_from_wire(number: int) -> StepState | None:
    """The state with a number; None for the one that is unspecified."""
    return enum_from_wire(StepState, pb.StepExecution.State, number) if number else None


def _step_to_wire(step: StepExecution) -> pb.StepExecution:
    return pb.StepExecution(
        step=step.step,
        description=step.description,
        engine=step.engine,
        environment=step.environment,
        code=step.code,
        code_digest=step.code_digest,
        deps=step.deps,
        origin=facts_to_wire(step.origin),
        state=enum_to_wire(pb.StepExecution.State, step.state),
        attempt=step.attempt,
        starts=step.starts,
        start_time=time_to_wire(step.start_time),
        end_time=time_to_wire(step.end_time),
        exit_code=step.exit_code,
        error=error_to_wire(step.error),
        reason=step.reason,
        linked=[_linked_to_wire(each) for each in step.linked],
        outputs=[_output_to_wire(each) for each in step.outputs],
    )


def _step_from_wire(step: pb.StepExecution) -> StepExecution:
    return StepExecution(
        step=step.step,
        description=step.description,
        engine=step.engine,
        environment=step.environment,
        code=step.code,
        code_digest=step.code_digest,
        deps=tuple(step.deps),
        origin=facts_from_wire(step.origin) if step.HasField("origin") else None,
        state=enum_from_wire(StepState, pb.StepExecution.State, step.state),
        attempt=step.attempt,
        starts=step.starts,
        start_time=optional_time(step, "start_time"),
        end_time=optional_time(step, "end_time"),
        exit_code=step.exit_code if step.HasField("exit_code") else None,
        error=error_from_wire(step.error),
        reason=step.reason,
        linked=tuple(_linked_from_wire(each) for each in step.linked),
        outputs=tuple(_output_from_wire(each) for each in step.outputs),
    )


def _linked_to_wire(linked: LinkedResource) -> pb.LinkedResource:
    return pb.LinkedResource(
        name=linked.name,
        state=linked.state,
        plan=linked.plan,
        release=linked.release,
        forgotten=linked.forgotten,
    )


def _linked_from_wire(linked: pb.LinkedResource) -> LinkedResource:
    return LinkedResource(
        name=linked.name,
        state=linked.state,
        plan=linked.plan,
        release=linked.release,
        forgotten=linked.forgotten,
    )


def _output_to_wire(output: StepOutput) -> pb.StepOutput:
    return pb.StepOutput(
        path=output.path,
        place=output.place,
        sha256=output.sha256,
        bytes=output.bytes,
        files=output.files,
    )


def _output_from_wire(output: pb.StepOutput) -> StepOutput:
    return StepOutput(
        path=output.path,
        place=output.place,
        sha256=output.sha256,
        bytes=output.bytes,
        files=output.files,
    )
