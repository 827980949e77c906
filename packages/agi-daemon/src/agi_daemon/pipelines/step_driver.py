"""Bringing one step of an execution to its end: its process, its stop, its deadline, its loss."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from agi_cluster.model.pipeline import StepState
from agi_cluster.model.pipeline_run import LinkedResource, StepExecution
from agi_daemon.log import get_log
from agi_daemon.pipelines import links, outputs, step_directory, transitions
from agi_daemon.pipelines.run_record import PipelineRunRecord
from agi_daemon.pipelines.step_line import StepEnd, StepLine, attached
from agi_daemon.pipelines.transitions import Change, Ending
from agi_daemon.runs.cancelling import Untold
from agi_env.errors import (
    AgiError,
    CancelledRunError,
    InternalError,
    OutOfTimeError,
    StepFailedError,
    StepInterruptedError,
    StepTimeoutError,
)
from agi_env.settings import DEFAULT_RUN_TIMEOUT

if TYPE_CHECKING:
    from agi_daemon.pipelines.driver import PipelineParts

_log = get_log(__name__)

MOST_STARTS = 5
"""Starts of one attempt, of which all but the last were lost in crashes."""
MOST_BROKEN_LINES = 12
_MAY_PASS = (InternalError, OutOfTimeError)
"""Refusals of a far side whose supervisor was killed, or held up, before it could say a word."""
TIMEOUT_GRACE_S = 10.0
"""Seconds that a step has to end once its time is up."""
REPEATABLE = frozenset({"agi.run", "agi.install"})
"""Engines whose steps may be executed again: they ask with the same request ids."""


class Execution(Protocol):
    """The execution that a step belongs to."""

    def record(self) -> PipelineRunRecord:
        """It as it is stored."""
        ...

    async def change(self, change: Change) -> PipelineRunRecord:
        """Change what is stored."""
        ...


class StepDriver:
    """Drives one attempt of a step."""

    def __init__(self, parts: PipelineParts, execution: Execution, index: int) -> None:
        self.index = index
        self._parts = parts
        self._execution = execution
        self._record = execution.record()
        self._grace = TIMEOUT_GRACE_S
        self._stop_asked = asyncio.Event()
        self._stopped = False
        self._timed_out = False

    @property
    def _step(self) -> StepExecution:
        return self._record.run.steps[self.index]

    @property
    def _token(self) -> str:
        return self._record.orders[self.index].token

    @property
    def _place(self) -> Path:
        run, attempt = self._record.run, self._step.attempt
        return step_directory.place_of(self._parts.folder, run.id, self.index, attempt)

    def ask_to_stop(self, grace_s: float) -> None:
        """Take note that the step is to be stopped."""
        if not self._stop_asked.is_set():
            self._stopped = True
            self._grace = grace_s
            self._stop_asked.set()

    async def drive(self) -> None:
        """Execute the step, or go on with it, and store how it ended.

        Raises:
            AgiError: It cannot be executed.
        """
        try:
            end = await self._executed()
        except Exception:
            await self._leave_none()
            raise
        await self._execution.change(transitions.ended(self.index, await self._ending(end)))

    async def _executed(self) -> StepEnd:
        file, address = self._record.run.file, self._parts.address
        await asyncio.to_thread(
            step_directory.write, self._place, self._step, file, self._token, address
        )
        end = await self._followed()
        while end.lost and self._may_repeat():
            self._record = await self._execution.change(transitions.started_again(self.index))
            end = await self._followed()
        return end

    def _may_repeat(self) -> bool:
        step = self._step
        if self._stop_asked.is_set() or step.starts >= MOST_STARTS:
            return False
        return step.engine in REPEATABLE

    async def _followed(self) -> StepEnd:
        """Join or start the process, and wait for its end, over a new line where one breaks."""
        for broken in range(MOST_BROKEN_LINES):
            try:
                end = await self._over_a_line()
            except _MAY_PASS as error:
                _log.warning("a step cannot be attached to", place=str(self._place), error=error)
                end = None
            if end is not None:
                return end
            _log.warning("line to a step broken", place=str(self._place))
            await asyncio.sleep(min(5.0, 0.05 * 2**broken))
        raise StepFailedError("its process cannot be reached", where=self._step.step)

    async def _over_a_line(self) -> StepEnd | None:
        async with attached(self._parts.transport, self._place, self._step.starts) as line:
            stopper = asyncio.create_task(self._stopping(line), name="stop of a step")
            try:
                return await line.end()
            finally:
                stopper.cancel()
                (failure,) = await asyncio.gather(stopper, return_exceptions=True)
                if isinstance(failure, Exception):
                    _log.error("a step was not stopped", place=str(self._place), error=failure)

    async def _stopping(self, line: StepLine) -> None:
        """Stop the step, and the runs that it started, when that is asked or its time is up."""
        try:
            await asyncio.wait_for(self._stop_asked.wait(), self._seconds_left())
        except TimeoutError:
            self._timed_out = True
            self._stop_asked.set()
        try:
            await self._parts.links.cancel_runs(self._token, self._grace)
        finally:
            await line.stop(self._grace)

    def _seconds_left(self) -> float:
        limit = self._record.orders[self.index].timeout or DEFAULT_RUN_TIMEOUT
        begun = self._step.start_time or datetime.now(UTC)
        return max(0.0, limit - (datetime.now(UTC) - begun).total_seconds())

    async def _ending(self, end: StepEnd) -> Ending:
        order, file = self._record.orders[self.index], self._record.run.file
        made = await asyncio.to_thread(outputs.recorded, order.outputs, file)
        untold = await self._leave_none()
        linked = await self._parts.links.of(self._token)
        state, error = self._verdict(end, linked)
        if untold:
            state, error = StepState.FAILED, self._goes_on(untold)
        return Ending(state=state, exit_code=end.code, error=error, linked=linked, outputs=made)

    async def _leave_none(self) -> Untold:
        """See that the runs of a step that was stopped end, what became of its stop before.

        A crash, a full disk, or the end of its process may have come between the stop and the
        cancel of its runs; and until it has ended, a step whose time is up may start others.
        """
        if self._timed_out:
            await self._execution.change(transitions.closed(self.index))
        if not self._stop_asked.is_set():
            return {}
        return await self._parts.links.see_cancelled(self._token, self._grace)

    def _goes_on(self, untold: Untold) -> StepFailedError:
        """It may not be called stopped, nor timed out, while runs of it use their cores."""
        why = next(iter(untold.values()))
        return StepFailedError(
            f"{', '.join(untold)} cannot be told to stop, and may go on: {why.what}",
            where=f"step {self._step.step}",
            remedy="`agi runs cancel RUN` tells it",
            metadata={"step": self._step.step, "runs": ",".join(untold)},
        )

    def _verdict(
        self, end: StepEnd, linked: Sequence[LinkedResource]
    ) -> tuple[StepState, AgiError | None]:
        # One that leaves with 0 when it is told to stop has not done what its runs had not.
        cut_short = self._stop_asked.is_set() and any(map(links.is_cut_short, linked))
        if end.code == 0 and not cut_short:
            return StepState.SUCCEEDED, None
        where = f"step {self._step.step}"
        if self._timed_out:
            limit = self._record.orders[self.index].timeout or DEFAULT_RUN_TIMEOUT
            return StepState.FAILED, StepTimeoutError(
                f"it took longer than {limit:g} s", where=where
            )
        if self._stopped:
            return StepState.CANCELLED, CancelledRunError(
                "it was stopped",
                where=where,
                remedy=f"`agi pipeline resume {self._record.run.id}` executes it again",
            )
        if end.lost:
            what = "its process was lost in a crash, and what it did is not known"
            return StepState.INTERRUPTED, StepInterruptedError(what, where=where)
        facts = {"log_tail": step_directory.log_tail(self._place), "step": self._step.step}
        run = self._record.run.id
        remedy = (
            f"`agi pipeline logs {run}` shows what it printed;"
            f" `agi pipeline resume {run}` goes on from it"
        )
        error = StepFailedError(_how(end), where=where, remedy=remedy, metadata=facts)
        return StepState.FAILED, error


def _how(end: StepEnd) -> str:
    if end.signal is not None:
        return f"its process was ended by {signal.Signals(end.signal).name}"
    return f"its process exited with code {end.code}"
