"""What to do next about an execution: decided from what is stored, without any I/O."""

from __future__ import annotations

from attrs import frozen

from agi_cluster.model.pipeline import StepState
from agi_cluster.model.pipeline_run import PipelineRunState
from agi_daemon.pipelines.run_record import PipelineRunRecord

MOST_AT_ONCE = 16
"""Steps of one execution that run at the same time. None waits for another that has started, so
any bound leads to the end."""

_WAITING, _RUNNING = StepState.WAITING, StepState.RUNNING


@frozen(kw_only=True)
class Moves:
    """Steps by their places, and how the execution ends; all may be done in any order."""

    start: tuple[int, ...] = ()
    """Everything that they depend on is fulfilled."""
    block: tuple[int, ...] = ()
    """Something that they depend on never will be."""
    cancel: tuple[int, ...] = ()
    """They have not begun and shall not."""
    settle: PipelineRunState | None = None


def next_moves(record: PipelineRunRecord) -> Moves:
    """What brings the execution closer to its target."""
    if record.run.state.settled:
        return Moves()
    waiting, running = record.places(_WAITING), record.places(_RUNNING)
    if record.run.target is PipelineRunState.CANCELLED and waiting:
        return Moves(cancel=waiting)
    told = tuple(i for i in waiting if record.orders[i].stop_grace is not None)
    blocked = tuple(i for i in waiting if i not in told and _is_blocked(record, i))
    if told or blocked:
        return Moves(cancel=told, block=blocked)
    if not waiting and not running:
        return Moves(settle=outcome(record))
    return Moves(start=_startable(record, waiting, running))


def outcome(record: PipelineRunRecord) -> PipelineRunState:
    """How an execution ends whose steps have all ended."""
    if all(step.state.fulfilled for step in record.run.steps):
        return PipelineRunState.SUCCEEDED
    if record.run.target is PipelineRunState.CANCELLED:
        return PipelineRunState.CANCELLED
    return PipelineRunState.FAILED


def _startable(
    record: PipelineRunRecord, waiting: tuple[int, ...], running: tuple[int, ...]
) -> tuple[int, ...]:
    started = list(running)
    for i in waiting:
        alone = not record.orders[i].parallel_safe
        held = any(not record.orders[other].parallel_safe for other in started)
        room = len(started) < (1 if alone or held else MOST_AT_ONCE)
        if room and _is_ready(record, i):
            started.append(i)
    return tuple(started[len(running) :])


def _is_ready(record: PipelineRunRecord, index: int) -> bool:
    return all(state.fulfilled for state in _needed(record, index))


def _is_blocked(record: PipelineRunRecord, index: int) -> bool:
    return any(state.settled and not state.fulfilled for state in _needed(record, index))


def _needed(record: PipelineRunRecord, index: int) -> list[StepState]:
    states = {step.step: step.state for step in record.run.steps}
    return [states[dep] for dep in record.run.steps[index].deps]
