"""Which steps of a pipeline an execution has, and what each of them waits for: pure."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping, Sequence, Set

from agi_cluster.model.pipeline import ENGINES, PipelineStep, StepState
from agi_cluster.model.pipeline_run import StepExecution
from agi_daemon.pipelines.lab_steps import LabModule, digest_of_code
from agi_daemon.pipelines.run_record import StepOrder
from agi_env.errors import PipelineInvalidError


def why_left_out(step: PipelineStep, asked: Set[str]) -> str:
    """Why a step is not executed; empty if it is."""
    if not step.code.strip():
        return "it has no code"
    if asked:
        return "" if step.id in asked else "it was not asked for"
    if not step.enabled:
        return "it is disabled"
    return "" if step.number else "it is not in the sequence"


def executions(module: LabModule, asked: Set[str]) -> tuple[StepExecution, ...]:
    """The steps of an execution in their order, those left out among them.

    Args:
        module: The list of steps.
        asked: Only these; empty: all that are enabled and in the sequence.

    Raises:
        PipelineInvalidError: A step has an engine that is not known.
    """
    steps = [each.step for each in module.steps]
    left_out = {step.id: why_left_out(step, asked) for step in steps}
    chosen = [step.id for step in steps if not left_out[step.id]]
    deps = _chained(chosen) if module.serial else _resolved(steps, chosen)
    return tuple(_execution(step, deps.get(step.id, ()), left_out[step.id]) for step in steps)


def order_of(step: PipelineStep) -> StepOrder:
    """How a step is to be executed."""
    return StepOrder(
        outputs=step.outputs,
        skip_if_outputs_exist=step.skip_if_outputs_exist,
        parallel_safe=step.parallel_safe,
        timeout=step.timeout,
    )


def _execution(step: PipelineStep, deps: tuple[str, ...], left_out: str) -> StepExecution:
    if not left_out and step.engine not in ENGINES:
        raise PipelineInvalidError(
            f"the engine {step.engine!r} is not known",
            where=f"step {step.id}",
            remedy=f"Set R to one of {', '.join(ENGINES)}",
        )
    return StepExecution(
        step=step.id,
        description=step.description or step.question,
        engine=step.engine,
        environment=step.environment,
        code=step.code,
        code_digest=digest_of_code(step.code),
        deps=deps,
        origin=step.origin,
        state=StepState.LEFT_OUT if left_out else StepState.WAITING,
        reason=left_out,
    )


def _chained(chosen: Sequence[str]) -> dict[str, tuple[str, ...]]:
    pairs = itertools.pairwise(chosen)
    return {step: (before,) for before, step in pairs}


def _resolved(
    steps: Sequence[PipelineStep], chosen: Sequence[str]
) -> Mapping[str, tuple[str, ...]]:
    """What each waits for; of a step that is left out, what that would have waited for."""
    named = {step.id: step.deps for step in steps}
    return {
        step: tuple(dict.fromkeys(dep for each in named[step] for dep in _of(each, named, chosen)))
        for step in chosen
    }


def _of(dep: str, named: Mapping[str, tuple[str, ...]], chosen: Sequence[str]) -> Iterator[str]:
    if dep in chosen:
        yield dep
        return
    for each in named.get(dep, ()):
        yield from _of(each, named, chosen)
