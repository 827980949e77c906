"""How the stored record of an execution changes, and the events that tell of it: no I/O but SQL."""

from __future__ import annotations

import secrets
import sqlite3
from collections.abc import Callable, Sequence
from datetime import UTC, datetime

from attrs import evolve, frozen

from agi_cluster.model.pipeline import StepState
from agi_cluster.model.pipeline_run import (
    LinkedResource,
    PipelineRun,
    PipelineRunState,
    StepExecution,
    StepOutput,
)
from agi_daemon.events import Events, Fact
from agi_daemon.pipelines import pipeline_run_store
from agi_daemon.pipelines.next_moves import next_moves
from agi_daemon.pipelines.run_record import PipelineRunRecord, StepOrder
from agi_env.errors import AgiError, CancelledRunError, StepFailedError


@frozen(kw_only=True)
class Changed:
    """A record after a change, what to tell of it, and which tokens it opens and closes."""

    record: PipelineRunRecord
    facts: tuple[Fact, ...] = ()
    opens: tuple[tuple[str, str], ...] = ()
    """Tokens, each with its step."""
    closes: tuple[str, ...] = ()


Change = Callable[[PipelineRunRecord], Changed]
"""Makes of the stored record what is to be stored; it may be called where it has nothing to do."""


@frozen(kw_only=True)
class Ending:
    """How a step ended."""

    state: StepState
    exit_code: int | None = None
    error: AgiError | None = None
    linked: tuple[LinkedResource, ...] = ()
    outputs: tuple[StepOutput, ...] = ()


def apply(
    connection: sqlite3.Connection, events: Events, run_id: str, change: Change
) -> PipelineRunRecord:
    """Change the stored record inside the caller's transaction."""
    changed = change(pipeline_run_store.find(connection, run_id))
    record = changed.record
    for token, step in changed.opens:
        pipeline_run_store.open_token(connection, token, run_id, step)
    for token in changed.closes:
        pipeline_run_store.close_token(connection, token)
    pipeline_run_store.update(connection, record)
    events.append(connection, record.subject, changed.facts)
    return record


def begun(index: int, now: datetime) -> Change:
    """The intent to execute a step: its attempt, its token, its first start."""

    def change(record: PipelineRunRecord) -> Changed:
        step = record.run.steps[index]
        if step.state is not StepState.WAITING or record.orders[index].stop_grace is not None:
            return Changed(record=record)
        attempt = step.attempt + 1
        token = f"{record.run.id}/{index + 1}/{attempt}/{secrets.token_hex(16)}"

        def started(each: StepExecution) -> StepExecution:
            return evolve(each, state=StepState.RUNNING, attempt=attempt, starts=1, start_time=now)

        def ordered(each: StepOrder) -> StepOrder:
            return evolve(each, token=token, tokens=(*each.tokens, token))

        data = {"step": step.step, "attempt": attempt}
        return Changed(
            record=record.with_step(index, started, ordered),
            facts=(Fact(kind="step_started", data=data),),
            opens=((token, step.step),),
        )

    return change


def started_again(index: int) -> Change:
    """A start was lost in a crash, and the same attempt is started again."""

    def change(record: PipelineRunRecord) -> Changed:
        step = record.run.steps[index]
        data = {"step": step.step, "attempt": step.attempt, "start": step.starts + 1}
        return Changed(
            record=record.with_step(index, lambda each: evolve(each, starts=each.starts + 1)),
            facts=(Fact(kind="step_lost", data=data),),
        )

    return change


def skipped(index: int, made: tuple[StepOutput, ...]) -> Change:
    """All outputs of a step are there."""

    def change(record: PipelineRunRecord) -> Changed:
        reason = "its outputs are there"

        def skip(each: StepExecution) -> StepExecution:
            return evolve(each, state=StepState.SKIPPED, reason=reason, outputs=made)

        data = {"step": record.run.steps[index].step, "reason": reason}
        fact = Fact(kind="step_skipped", data=data)
        return Changed(record=record.with_step(index, skip), facts=(fact,))

    return change


def never(cancel: Sequence[int], block: Sequence[int]) -> Change:
    """Steps that will not begin: they were stopped before, or what they need did not succeed."""

    def change(record: PipelineRunRecord) -> Changed:
        facts = []
        for index in (*cancel, *block):
            state = StepState.CANCELLED if index in cancel else StepState.BLOCKED
            reason = _why(record, index, state)
            step = record.run.steps[index]
            record = record.with_step(index, _ending_as(state, reason))
            data = {"step": step.step, "state": state.value, "reason": reason}
            facts.append(Fact(kind="step_passed_over", data=data))
        return Changed(record=record, facts=tuple(facts))

    return change


def ended(index: int, ending: Ending) -> Change:
    """A step has come to its end."""

    def change(record: PipelineRunRecord) -> Changed:
        step, now = record.run.steps[index], datetime.now(UTC)

        def end(each: StepExecution) -> StepExecution:
            return evolve(
                each,
                state=ending.state,
                end_time=now,
                exit_code=ending.exit_code,
                error=ending.error,
                linked=ending.linked,
                outputs=ending.outputs,
            )

        record = record.with_step(index, end)
        seconds = record.run.steps[index].seconds
        data = {
            "step": step.step,
            "attempt": step.attempt,
            "state": ending.state.value,
            "exit_code": ending.exit_code,
            "seconds": seconds,
            "runs": [each.name for each in ending.linked],
            "error": _said(ending.error),
        }
        token = record.orders[index].token
        fact = Fact(kind="step_ended", data=data)
        return Changed(record=record, facts=(fact,), closes=(token,) if token else ())

    return change


def closed(index: int) -> Change:
    """A step may ask for nothing more."""

    def change(record: PipelineRunRecord) -> Changed:
        return Changed(record=record, closes=(record.orders[index].token,))

    return change


def failed(index: int, error: AgiError) -> Change:
    """A step that could not be executed at all."""
    return ended(index, Ending(state=StepState.FAILED, error=error))


def settled(record: PipelineRunRecord) -> Changed:
    """The end of an execution, if there still is nothing to do."""
    state = next_moves(record).settle
    if state is None:
        return Changed(record=record)
    error = None if state is PipelineRunState.SUCCEEDED else _first_error(record.run)
    run = evolve(record.run, state=state, end_time=datetime.now(UTC), error=error)
    data = {"state": state.value, "error": _said(error)}
    fact = Fact(kind="settled", data=data, verbosity=0)
    return Changed(record=evolve(record, run=run), facts=(fact,))


def stopping(grace_s: float, step_id: str = "") -> Change:
    """The request to stop an execution, or one step of it; what has ended stays as it is."""

    def change(record: PipelineRunRecord) -> Changed:
        if record.run.state.settled:
            return Changed(record=record)
        only = record.index(step_id) if step_id else None
        closes = []
        for index in record.places(StepState.WAITING, StepState.RUNNING):
            if only is None or index == only:
                closes.append(record.orders[index].token)
                record = record.with_step(
                    index, lambda each: each, lambda each: evolve(each, stop_grace=grace_s)
                )
        if only is None:
            run = evolve(
                record.run, state=PipelineRunState.CANCELLING, target=PipelineRunState.CANCELLED
            )
            record = evolve(record, run=run)
        data = {"grace_seconds": grace_s, "step": step_id}
        fact = Fact(kind="cancel_asked", data=data)
        tokens = tuple(token for token in closes if token)
        return Changed(record=record, facts=(fact,), closes=tokens)

    return change


def retried(step_id: str) -> Change:
    """A step that ended badly waits again, with all that it kept from beginning."""

    def change(record: PipelineRunRecord) -> Changed:
        again = [record.index(step_id), *record.places(StepState.BLOCKED)]
        for index in again:
            if index is not None:
                record = record.with_step(
                    index, _waiting, lambda each: evolve(each, stop_grace=None)
                )
        fact = Fact(kind="step_retried", data={"step": step_id})
        return Changed(record=record, facts=(fact,))

    return change


def _waiting(step: StepExecution) -> StepExecution:
    return evolve(
        step,
        state=StepState.WAITING,
        reason="",
        error=None,
        exit_code=None,
        start_time=None,
        end_time=None,
        linked=(),
        outputs=(),
    )


def _ending_as(state: StepState, reason: str) -> Callable[[StepExecution], StepExecution]:
    return lambda each: evolve(each, state=state, reason=reason)


def _why(record: PipelineRunRecord, index: int, state: StepState) -> str:
    if state is StepState.CANCELLED:
        return "it was stopped before it began"
    ends = {step.step: step.state for step in record.run.steps}
    deps = record.run.steps[index].deps
    bad = [f"{dep} {ends[dep].value}" for dep in deps if not ends[dep].fulfilled]
    return ", ".join(bad)


def _first_error(run: PipelineRun) -> AgiError:
    if run.target is PipelineRunState.CANCELLED:
        return CancelledRunError(
            "it was cancelled",
            where=f"pipelineRuns/{run.id}",
            remedy=f"`agi pipeline resume {run.id}` goes on with it",
        )
    errors = [step.error for step in run.steps if step.error is not None]
    return errors[0] if errors else StepFailedError("a step was stopped before it began")


def _said(error: AgiError | None) -> dict[str, object] | None:
    return {"code": error.code, "metadata": error.to_metadata()} if error else None
