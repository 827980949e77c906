"""Dispatch: which executor does which partition, when to give up, and what the run comes to.

A state machine without I/O and without a clock: events in, instructions out. It serves executors
that are children of the runner and such that live below workers elsewhere. The plan is what runs:
a partition leaves its slot only when no executor of that slot can be kept alive, and says so.
Within a slot, order is that of the plan.

Phases go one way: partitions run, their results are reduced, the executors stop, the run's
directory is published, the run is settled. A run that is not to succeed goes to stopping at once.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from agi_env.errors import AgiError, error_from
from agi_env.runtime import dispatch_events as events
from agi_env.runtime import verdict
from agi_env.runtime.causes import EndCause, EndKind, FailureCause, FailureKind
from agi_env.runtime.crew import Crew
from agi_env.runtime.dispatch_instructions import (
    Append,
    Instruction,
    Publish,
    RunState,
    Settle,
)
from agi_env.runtime.dispatch_phase import Phase
from agi_env.runtime.executor_seat import Handed, Seat, SeatState
from agi_env.runtime.history import Accepted, History
from agi_env.runtime.ledger import Ledger
from agi_env.runtime.reduction import Reduction
from agi_env.runtime.slot import Slot
from agi_env.runtime.spec import RunPlan, RunSpec


class Dispatch:
    """One run under one runner.

    Attributes:
        phase: How far the run has come.
        ledger: What the partitions have come to.
        reduction: What became of reducing the results.
    """

    def __init__(
        self, spec: RunSpec, plan: RunPlan, history: History, epoch: int, at: float
    ) -> None:
        """Take up a run where its journal left it; nothing is done before ``start``.

        Args:
            spec: The run.
            plan: The plan revision that it executes.
            history: What happened under earlier runners, without results that no longer hold.
            epoch: Which start of the runner this is.
            at: The time, in seconds of the clock that all events use.
        """
        self.phase = Phase.RUNNING
        self.ledger = Ledger(plan, history)
        self._spec = spec
        self._epoch = epoch
        self._history = history
        self._started_at = at if history.started_at is None else history.started_at
        self._verdict: tuple[RunState, AgiError] | None = None
        self._stop_by = 0.0
        self._out: list[Instruction] = []
        self._crew = Crew(spec, plan, self.ledger, self._out)
        self.reduction = Reduction(self._crew, history.reduced, self._out)
        for partition, slot in zip(plan.partitions, plan.assignment, strict=True):
            if not self.ledger.decided(partition.id):
                self._crew.queue(partition.id, history.moved.get(partition.id, slot))

    def start(self, at: float) -> list[Instruction]:
        """The first instructions."""
        if self._history.published is not None:
            self.phase = Phase.PUBLISHING
            self._out.append(Publish())
        elif self._history.cancel_requested:
            self._end(RunState.CANCELLED, verdict.cancelled(), at)
        elif self._history.reduce_failed is not None:
            self._fail(verdict.reduce_failed(self._history.reduce_failed, len(self.ledger)), at)
        return self._advance(at)

    def handle(self, event: events.Event) -> list[Instruction]:
        """Take one event; the instructions that follow from it."""
        self._take(event)
        return self._advance(event.at)

    def deadline(self) -> float | None:
        """When a ``Tick`` is due; none while nothing can be late."""
        return min(self._deadlines(), default=None)

    # What to do next.

    def _advance(self, at: float) -> list[Instruction]:
        self._crew.refresh(at)
        if self.phase is Phase.RUNNING:
            self._advance_running(at)
        if self.phase is Phase.REDUCING:
            self._advance_reducing(at)
        if self.phase is Phase.STOPPING and not self._crew.lives:
            self._conclude(at)
        out = self._out.copy()
        self._out.clear()
        return out

    def _advance_running(self, at: float) -> None:
        if not self.ledger.complete:
            self._crew.employ(at)
        elif self.ledger.failed:
            name, cause = next(iter(self.ledger.failed.items()))
            kept = bool(self.ledger.finished)
            error = verdict.partition_failed(self.ledger.partition(name), cause, kept=kept)
            self._end(RunState.FAILED, error, at)
        else:
            self.phase = Phase.REDUCING

    def _advance_reducing(self, at: float) -> None:
        if self.reduction.over:
            self._stop_all(at + self._spec.start_timeout_s, at)
        else:
            self.reduction.advance(at)

    def _conclude(self, at: float) -> None:
        if self._verdict is not None:
            self._settle(*self._verdict, at)
        else:
            self.phase = Phase.PUBLISHING
            self._out.append(Publish())

    # What happened.

    def _take(self, event: events.Event) -> None:
        match event:
            case events.Tick():
                self._tick(event.at)
            case events.CancelRequested():
                self._cancel(event)
            case events.Published():
                self._published(event)
            case events.PublishFailed():
                error = error_from(event.code, event.metadata)
                self._settle(RunState.FAILED, error, event.at)
            case events.SlotJoined():
                self._slot_joined(self._crew.slots[event.slot], event)
            case events.SlotLost() | events.SlotGivenUp():
                self._slot_gone(self._crew.slots[event.slot], event)
            case events.SlotDrained():
                self._crew.drain(self._crew.slots[event.slot], event.reason)
            case events.WorkerGone():
                self._append("worker_gone", slot=event.slot, cause=event.cause.to_dict())
            case _:
                seat = self._crew.seat(event.slot, event.executor)
                if seat.lives:
                    self._take_from(seat, event)

    def _take_from(self, seat: Seat, event: events.SeatEvent) -> None:
        match event:
            case events.ExecutorStarted():
                cores = self._crew.slots[seat.slot].spec.threads
                self._append("executor_started", **events.told_of(event), cores=cores)
            case events.ExecutorReady():
                self._ready(seat, event)
            case events.ExecutorUnfit():
                self._append("executor_unfit", **events.told_of(event))
                self._fail(verdict.start_failed(event.cause), event.at)
            case events.ExecutorStopped():
                self._stopped(seat, event)
            case events.ExecutorEnded():
                self._ended(seat, event)
            case _:
                self._take_result(seat, event)

    def _take_result(self, seat: Seat, event: events.SeatEvent) -> None:
        match event:
            case events.PartitionBegan():
                if seat.begin(event.id, event.attempt, event.at):
                    self._append("partition_started", **events.told_of(event))
            case events.PartitionFinished():
                self._finished(seat, event)
            case events.PartitionFailed():
                if seat.answer(event.id, event.attempt, event.at):
                    self._failed(seat, event.id, event.attempt, event.cause)
            case events.ReduceFinished():
                self._reduction_finished(seat, event)
            case events.ReduceFailed():
                if seat.reducing:
                    seat.reducing = False
                    self._reduction_failed(event.cause, event.at)

    def _ready(self, seat: Seat, event: events.ExecutorReady) -> None:
        if seat.state is SeatState.STARTING:
            seat.take(SeatState.READY, event.at)
            self.reduction.offered = event.reduces
            if event.proof:
                place = {"slot": event.slot, "executor": event.executor}
                self._append("executor_ready", **place, **event.proof)

    def _finished(self, seat: Seat, event: events.PartitionFinished) -> None:
        if seat.answer(event.id, event.attempt, event.at):
            self._append("partition_finished", **events.told_of(event))
            accepted = Accepted(self._epoch, event.attempt, event.seconds, event.sha256)
            self.ledger.finished[event.id] = accepted

    def _failed(
        self, seat: Seat, name: str, attempt: int, cause: FailureCause, *, final: bool = True
    ) -> None:
        if final:
            self.ledger.failed[name] = cause
        error = verdict.partition_failed(self.ledger.partition(name), cause)
        said = {"error": {"code": error.code, "metadata": error.to_metadata()}}
        where = {"slot": seat.slot, "executor": seat.executor}
        what = {"id": name, "attempt": attempt, "final": final}
        self._append("partition_failed", **where, **what, cause={**cause.to_dict(), **said})

    def _reduction_finished(self, seat: Seat, event: events.ReduceFinished) -> None:
        if seat.reducing:
            seat.reducing = False
            self._append("reduce_finished", **events.told_of(event))
            self.reduction.accepted = Accepted(
                self._epoch, event.attempt, event.seconds, event.sha256
            )

    def _reduction_failed(self, cause: FailureCause, at: float) -> None:
        self._append("reduce_failed", cause=cause.to_dict())
        if self.phase is Phase.REDUCING:
            self._end(RunState.FAILED, verdict.reduce_failed(cause, len(self.ledger)), at)

    def _stopped(self, seat: Seat, event: events.ExecutorStopped) -> None:
        seat.take(SeatState.STOPPED, event.at)
        if event.cause is not None:
            self._append("stop_failed", **events.told_of(event))
            self._fail(verdict.stop_failed(event.cause), event.at)

    def _ended(self, seat: Seat, event: events.ExecutorEnded) -> None:
        end = event.cause if seat.killed is None else replace(event.cause, kind=seat.killed)
        facts = {**events.told_of(event), "cause": end.to_dict()}
        self._append("executor_ended", **facts)
        if self.phase < Phase.STOPPING:
            self._lost(seat, end, event.at)
        elif seat.state is SeatState.STOPPING:
            self._stop_cut_short(seat, end, event.at)
        if seat.lives:
            seat.vacate(event.at)

    def _stop_cut_short(self, seat: Seat, end: EndCause, at: float) -> None:
        """An executor ended before ``stop`` returned; what counts is stored by then."""
        self._append("stop_cut_short", slot=seat.slot, executor=seat.executor, cause=end.to_dict())
        if not end.from_outside:
            self._fail(verdict.stop_failed(FailureCause.of_end(end, "stop()")), at)

    def _published(self, event: events.Published) -> None:
        if self._history.published is None:
            self._append("published", path=event.path)
        self._settle(RunState.SUCCEEDED, None, event.at)

    # When an executor is lost.

    def _lost(self, seat: Seat, end: EndCause, at: float) -> None:
        running, in_hand = seat.running, seat.in_hand
        starting, reducing, killed = seat.state is SeatState.STARTING, seat.reducing, seat.killed
        if running is not None and (killed is None or seat.late == running.id):
            self._lost_partition(seat, running, end)
        cut_short = seat.state is SeatState.STOPPING and running is None
        leaving = seat.leaving
        seat.vacate(at)
        for handed in in_hand:
            if handed is not running:
                self.ledger.give_back(handed.id)
            if not self.ledger.decided(handed.id):
                due = at + self._crew.pause(self.ledger.deaths(handed.id))
                self._crew.queue_later(handed.id, seat.slot, due if handed is running else at)
        if starting and killed is EndKind.TIMEOUT:
            self._fail(verdict.start_timed_out(self._spec.start_timeout_s), at)
        elif reducing:
            if self.reduction.attempts >= self._spec.max_attempts:
                self._reduction_failed(FailureCause.of_end(end, "reduce()"), at)
            self._crew.rest(seat, self.reduction.attempts, at)
        elif cut_short:
            self._stop_cut_short(seat, end, at)
        elif running is None and killed is None and not leaving:
            self._lost_in_vain(seat, end, at)

    def _lost_partition(self, seat: Seat, handed: Handed, end: EndCause) -> None:
        deaths = self.ledger.count_death(handed.id)
        final = seat.late == handed.id or deaths >= self._spec.max_attempts
        cause = FailureCause.of_end(end, "work()", deaths, quarantined=final)
        if seat.late == handed.id:
            limit = self._spec.partition_timeout_s or 0.0
            message = f"work() took longer than {limit:g} s"
            cause = FailureCause(FailureKind.TIMEOUT, message, log_tail=end.log_tail)
        self._failed(seat, handed.id, handed.attempt, cause, final=final)

    def _lost_in_vain(self, seat: Seat, end: EndCause, at: float) -> None:
        seat.vain += 1
        if seat.vain < self._spec.max_attempts:
            self._crew.rest(seat, seat.vain, at)
            return
        seat.take(SeatState.GIVEN_UP, at)
        if not self._crew.usable:
            self._fail(verdict.executors_gone(end), at)
        elif not self._crew.slots[seat.slot].usable:
            self._crew.evacuate(self._crew.slots[seat.slot], end.words)

    # When a slot comes or goes.

    def _slot_joined(self, slot: Slot, event: events.SlotJoined) -> None:
        self._append("slot_joined", slot=event.slot, lease=event.lease, worker=event.worker)
        self._crew.join(slot)

    def _slot_gone(self, slot: Slot, event: events.SlotLost | events.SlotGivenUp) -> None:
        if slot.drained and not slot.usable:
            return  # its worker was sent home
        for_good = isinstance(event, events.SlotGivenUp)
        kind = "slot_given_up" if for_good else "slot_lost"
        self._append(kind, slot=event.slot, reason=event.reason, cause=event.why.to_dict())
        self._vacate(slot, event)
        self._crew.lose(slot, event.reason, for_good=for_good)
        if not self._crew.usable:
            self._fail(verdict.workers_gone(event.reason), event.at)

    def _vacate(self, slot: Slot, event: events.SlotLost | events.SlotGivenUp) -> None:
        """Take what the executors of a lost slot had in hand; it may be run there to its end.

        So the numbers of its attempts are not used again. It is nobody's fault and counts no death.
        """
        for seat in (seat for seat in slot.seats if seat.lives):
            end = EndCause(EndKind.LOST, detail=event.reason)
            where = {"slot": seat.slot, "executor": seat.executor}
            self._append("executor_ended", **where, cause=end.to_dict())
            if seat.running is not None and seat.late == seat.running.id:
                self._lost_partition(seat, seat.running, end)
            for handed in seat.in_hand:
                if not self.ledger.decided(handed.id):
                    self._crew.queue(handed.id, seat.slot)
            seat.vacate(event.at)

    # Endings.

    def _cancel(self, event: events.CancelRequested) -> None:
        if self.phase >= Phase.PUBLISHING:
            return
        self._append("cancel_requested", grace_s=event.grace_s)
        by = event.at + event.grace_s
        if self.phase is Phase.STOPPING:
            by = min(by, self._stop_by)
        self._end(RunState.CANCELLED, verdict.cancelled(), event.at, stop_by=by)
        self._tick(event.at)

    def _fail(self, error: AgiError, at: float) -> None:
        """End the run, whatever is under way; when it is ending already, only say why."""
        if self.phase < Phase.STOPPING:
            self._end(RunState.FAILED, error, at, stop_by=at)
            self._crew.kill_all(EndKind.KILLED)
        elif self._verdict is None:
            self._verdict = (RunState.FAILED, error)

    def _end(
        self, state: RunState, error: AgiError, at: float, stop_by: float | None = None
    ) -> None:
        self._verdict = self._verdict or (state, error)
        self._stop_all(at + self._spec.start_timeout_s if stop_by is None else stop_by, at)

    def _stop_all(self, stop_by: float, at: float) -> None:
        self.phase = Phase.STOPPING
        self._stop_by = stop_by
        if stop_by > at:
            self._crew.stop_all(at)

    def _settle(self, state: RunState, error: AgiError | None, at: float) -> None:
        self.phase = Phase.SETTLED
        facts = {"code": error.code, "metadata": error.to_metadata()} if error else None
        self._out.append(Settle(state, facts, self.ledger.summary(at - self._started_at)))

    # Time.

    def _tick(self, at: float) -> None:
        if self.phase is Phase.STOPPING:
            if at >= self._stop_by:
                self._crew.kill_all(EndKind.TIMEOUT if self._verdict is None else EndKind.KILLED)
        elif self.phase < Phase.STOPPING:
            self._crew.kill_late(at)
            if at >= self._started_at + self._spec.run_timeout_s:
                self._fail(verdict.run_timed_out(self._spec.run_timeout_s), at)

    def _deadlines(self) -> Iterator[float]:
        if self.phase is Phase.STOPPING:
            if any(seat.lives and seat.killed is None for seat in self._crew.seats):
                yield self._stop_by
        elif self.phase < Phase.STOPPING:
            yield self._started_at + self._spec.run_timeout_s
            yield from self._crew.limits()

    def _append(self, kind: str, /, **fields: Any) -> None:
        self._out.append(Append(kind, fields))
