"""Pipelines and their steps."""

from __future__ import annotations

from agi_cluster.api.v1 import pipelines_pb2 as pb
from agi_cluster.model.pipeline import Freshness, Pipeline, PipelineStep
from agi_cluster.wire.name import resource_id
from agi_cluster.wire.pipeline_run import (
    optional_step_state_from_wire,
    optional_step_state_to_wire,
)
from agi_cluster.wire.snippet import (
    facts_from_wire,
    facts_to_wire,
    staleness_from_wire,
    staleness_to_wire,
)
from agi_cluster.wire.state import enum_from_wire, enum_to_wire


def pipeline_to_wire(pipeline: Pipeline) -> pb.Pipeline:
    """The pipeline as a message."""
    return pb.Pipeline(
        name=pipeline.file,
        module=pipeline.module,
        etag=pipeline.etag,
        steps=[step_to_wire(step) for step in pipeline.steps],
        serial=pipeline.serial,
        latest_run=f"pipelineRuns/{pipeline.latest_run}" if pipeline.latest_run else "",
    )


def pipeline_from_wire(pipeline: pb.Pipeline) -> Pipeline:
    """The pipeline in a message."""
    latest = pipeline.latest_run
    return Pipeline(
        file=pipeline.name,
        module=pipeline.module,
        etag=pipeline.etag,
        steps=tuple(step_from_wire(step) for step in pipeline.steps),
        serial=pipeline.serial,
        latest_run=resource_id("pipelineRuns", latest) if latest else "",
    )


def step_to_wire(step: PipelineStep) -> pb.PipelineStep:
    """The step as a message."""
    return pb.PipelineStep(
        id=step.id,
        number=step.number,
        deps=step.deps,
        description=step.description,
        question=step.question,
        model=step.model,
        code=step.code,
        environment=step.environment,
        engine=step.engine,
        enabled=step.enabled,
        outputs=step.outputs,
        skip_if_outputs_exist=step.skip_if_outputs_exist,
        parallel_safe=step.parallel_safe,
        timeout=step.timeout,
        origin=facts_to_wire(step.origin),
        edited=step.edited,
        freshness=enum_to_wire(pb.PipelineStep.Freshness, step.freshness),
        stale=[staleness_to_wire(each) for each in step.stale],
        latest_state=optional_step_state_to_wire(step.latest_state),
    )


def step_from_wire(step: pb.PipelineStep) -> PipelineStep:
    """The step in a message; one that is to be added has no freshness."""
    untold = step.freshness == pb.PipelineStep.FRESHNESS_UNSPECIFIED
    return PipelineStep(
        id=step.id,
        number=step.number,
        deps=tuple(step.deps),
        description=step.description,
        question=step.question,
        model=step.model,
        code=step.code,
        environment=step.environment,
        engine=step.engine,
        enabled=step.enabled,
        outputs=tuple(step.outputs),
        skip_if_outputs_exist=step.skip_if_outputs_exist,
        parallel_safe=step.parallel_safe,
        timeout=step.timeout,
        origin=facts_from_wire(step.origin) if step.HasField("origin") else None,
        edited=step.edited,
        freshness=Freshness.UNTRACKED
        if untold
        else enum_from_wire(Freshness, pb.PipelineStep.Freshness, step.freshness),
        stale=tuple(staleness_from_wire(each) for each in step.stale),
        latest_state=optional_step_state_from_wire(step.latest_state),
    )
