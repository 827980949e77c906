"""What the daemon keeps of an execution: what clients see, and what it needs to go on with it."""

from __future__ import annotations

from collections.abc import Callable

from attrs import evolve, frozen

from agi_cluster.model.pipeline import StepState
from agi_cluster.model.pipeline_run import PipelineRun, StepExecution


@frozen(kw_only=True)
class StepOrder:
    """How one step is to be executed, beside what its execution shows."""

    outputs: tuple[str, ...] = ()
    skip_if_outputs_exist: bool = False
    parallel_safe: bool = True
    timeout: float = 0.0
    """Seconds; 0: a day."""
    token: str = ""
    """That of the current attempt; empty before the first."""
    tokens: tuple[str, ...] = ()
    """Those of all attempts in this execution."""
    stop_grace: float | None = None
    """Seconds that the process has after it was told to stop; None: it was not told."""


@frozen(kw_only=True)
class PipelineRunRecord:
    """One execution, as it is stored."""

    run: PipelineRun
    orders: tuple[StepOrder, ...]
    """One for each step of the execution."""

    @property
    def subject(self) -> str:
        """The name under which its events are numbered."""
        return f"pipelineRuns/{self.run.id}"

    def index(self, step_id: str) -> int | None:
        """The place of the step of this id, or with this number in the execution's order."""
        places = {step.step: i for i, step in enumerate(self.run.steps)}
        numbers = {str(i + 1): i for i in range(len(self.run.steps))}
        return places.get(step_id, numbers.get(step_id))

    def places(self, *states: StepState) -> tuple[int, ...]:
        """The places of the steps in any of these states."""
        return tuple(i for i, step in enumerate(self.run.steps) if step.state in states)

    def with_step(
        self,
        index: int,
        change: Callable[[StepExecution], StepExecution],
        order: Callable[[StepOrder], StepOrder] = lambda each: each,
    ) -> PipelineRunRecord:
        """The record with one step changed."""
        steps, orders = list(self.run.steps), list(self.orders)
        steps[index], orders[index] = change(steps[index]), order(orders[index])
        run = evolve(self.run, steps=tuple(steps))
        return evolve(self, run=run, orders=tuple(orders))
