"""Executions that follow from an earlier one: the same again, the rest of it, one step of it."""

from __future__ import annotations

from attrs import evolve

from agi_cluster.model.pipeline import StepState
from agi_cluster.model.pipeline_run import PipelineRun, StepExecution
from agi_daemon.pipelines.run_record import PipelineRunRecord, StepOrder

Steps = tuple[StepExecution, ...]

_CARRIED = "carried over from "


def repeated(record: PipelineRunRecord) -> tuple[Steps, tuple[StepOrder, ...]]:
    """The same steps with the same code, all to be executed again; what was left out stays so."""
    steps = tuple(
        step if step.state is StepState.LEFT_OUT else _anew(step) for step in record.run.steps
    )
    orders = tuple(evolve(each, token="", tokens=(), stop_grace=None) for each in record.orders)
    return steps, orders


def resumed(now: Steps, earlier: PipelineRunRecord) -> Steps:
    """The steps as they are now, with those carried over that need not be executed again.

    These succeeded, have not changed since, and depend only on others that are carried over.
    """
    before = {step.step: step for step in earlier.run.steps}
    carried: dict[str, StepExecution] = {}
    waiting = [step for step in now if step.state is StepState.WAITING]
    progress = True
    while progress:
        progress = False
        for step in waiting:
            old = before.get(step.step)
            if step.step in carried or old is None or not _is_same(old, step):
                continue
            if all(dep in carried for dep in step.deps):
                carried[step.step] = _carried(old, step, earlier.run.id)
                progress = True
    return tuple(carried.get(step.step, step) for step in now)


def only(now: Steps, earlier: PipelineRunRecord, step_id: str) -> Steps:
    """One step to be executed; of the others, what succeeded is carried over."""
    before = {step.step: step for step in earlier.run.steps}

    def placed(step: StepExecution) -> StepExecution:
        if step.step == step_id:
            return evolve(step, state=StepState.WAITING, reason="")
        old = before.get(step.step)
        if old is not None and _succeeded(old):
            return _carried(old, step, earlier.run.id)
        return evolve(step, state=StepState.LEFT_OUT, reason="it was not asked for")

    return tuple(placed(step) for step in now)


def origins(run: PipelineRun) -> set[str]:
    """The executions that this one goes on from, and those that its steps are carried over from."""
    reasons = (step.reason for step in run.steps if step.reason.startswith(_CARRIED))
    return {reason.removeprefix(_CARRIED) for reason in reasons} | {run.origin} - {""}


def _is_same(old: StepExecution, new: StepExecution) -> bool:
    same = (old.code_digest, old.engine, old.environment)
    return _succeeded(old) and same == (new.code_digest, new.engine, new.environment)


def _succeeded(step: StepExecution) -> bool:
    return step.state in (StepState.SUCCEEDED, StepState.SKIPPED)


def _carried(old: StepExecution, new: StepExecution, run_id: str) -> StepExecution:
    origin = old.reason if old.reason.startswith(_CARRIED) else ""
    reason = origin or f"{_CARRIED}{run_id}"
    return evolve(old, deps=new.deps, reason=reason)


def _anew(step: StepExecution) -> StepExecution:
    return StepExecution(
        step=step.step,
        description=step.description,
        engine=step.engine,
        environment=step.environment,
        code=step.code,
        code_digest=step.code_digest,
        deps=step.deps,
        origin=step.origin,
    )
