"""The runner: one process per run, which owns it from its plan to its settlement.

It replays the journal, asks dispatch what to do, and does it: every fact is in the journal before
anything that follows from it is done. It never imports the app. If it is killed, a later one, with
a higher epoch, goes on from the journal.
"""

from __future__ import annotations

import asyncio
import os
import socket
import sys
from collections.abc import Mapping
from contextlib import AsyncExitStack, suppress
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

from agi_env.errors import (
    AgiError,
    InternalError,
    RequestInvalidError,
    StateUnreadableError,
    StateUnwritableError,
)
from agi_env.runtime import attempt, control, executor_messages, verdict
from agi_env.runtime import dispatch_events as events
from agi_env.runtime import dispatch_instructions as instructions
from agi_env.runtime.dispatch import Dispatch
from agi_env.runtime.dispatch_phase import Phase
from agi_env.runtime.executors import LOGS_DIRECTORY, Executors, LocalExecutors
from agi_env.runtime.history import History
from agi_env.runtime.inheritance import Inheritance
from agi_env.runtime.interpreter import Interpreter
from agi_env.runtime.journal import JOURNAL_FILE, Journal
from agi_env.runtime.publish import Publication
from agi_env.runtime.runner_clock import RunnerClock
from agi_env.runtime.slot_commands import slot_event
from agi_env.runtime.spec import PLAN_FILE, SPEC_FILE, RunPlan, RunSpec
from agi_env.runtime.work_area import WorkArea

if TYPE_CHECKING:
    from agi_env.runtime.cluster_keys import ClusterKeys

LEASES_BETWEEN_CHECKS = 2
"""How many leases may pass until a runner that was replaced notices."""

FLUSH_INTERVAL_S = 0.1
"""How long facts may wait for the disk, so that many share one sync.

Whoever tells them on has to see to it that they are on disk, and a power cut before that only has
some partitions done again.
"""


def main(
    run_dir: Path,
    epoch: int,
    interpreter: Interpreter | None = None,
    keys: ClusterKeys | None = None,
) -> int:
    """Take up a run and bring it to its end.

    Args:
        run_dir: The run's directory, with its spec and its plan. The caller holds the run's lock.
        epoch: Which start of the runner this is; higher than any before.
        interpreter: What executors run with; by default what this process runs with.
        keys: With which runner and workers know each other; only in cluster modes.

    Returns:
        0 when the run is settled, whichever way; else the exit code of the error that is printed.
    """
    exit_code = 0
    try:
        asyncio.run(_run(run_dir, epoch, interpreter or Interpreter(), keys))
    except* AgiError as group:
        for error in group.exceptions:
            sys.stderr.write(f"{error}\n")
            exit_code = getattr(error, "exit_code", InternalError.exit_code)
    return exit_code


async def _run(
    run_dir: Path, epoch: int, interpreter: Interpreter, keys: ClusterKeys | None
) -> None:
    await Runner(run_dir, epoch, interpreter, keys).run()


class Runner:
    """One run in the hands of one process."""

    def __init__(
        self, run_dir: Path, epoch: int, interpreter: Interpreter, keys: ClusterKeys | None = None
    ) -> None:
        """Read the run and open its journal.

        Raises:
            StateUnreadableError, PlanInvalidError: The spec or the plan cannot be used.
            ConflictError: A later runner has been here.
            DiskFullError, StateUnwritableError: The journal cannot be written.
        """
        self._run_dir = run_dir
        self._epoch = epoch
        self._interpreter = interpreter
        self._keys = keys
        self._clock = RunnerClock()
        self._spec = RunSpec.from_json(_document(run_dir / SPEC_FILE))
        self._plan = RunPlan.from_json(_document(run_dir / PLAN_FILE))
        self._plan.check(self._spec.slots)
        self._area = WorkArea(Path(self._spec.data_out), self._spec.run_id)
        self._journal = Journal.open(run_dir / JOURNAL_FILE, epoch)
        self._unflushed = asyncio.Event()
        self._events: asyncio.Queue[events.Event] = asyncio.Queue()
        self._settlement: instructions.Settle | None = None

    async def run(self) -> None:
        """Bring the run to its end; at once when it is there."""
        try:
            history = History.of(record.to_dict() for record in self._journal.records)
            if not history.settled:
                await self._take_up(history)
        finally:
            self._journal.close()

    async def _take_up(self, history: History) -> None:
        self._append("runner_started", pid=os.getpid(), host=socket.gethostname())
        try:
            self._area.claim(self._epoch)
            await self._inherit(history)
        except AgiError as error:
            self._settle_unusable(history, error)
            return
        self._drop_lost_results(history)
        (self._run_dir / LOGS_DIRECTORY).mkdir(mode=0o700, exist_ok=True)
        self._executors = await self._open_executors()
        now = self._clock()
        self._dispatch = Dispatch(self._spec, self._plan, history, self._epoch, now)
        await self._drive()

    async def _inherit(self, history: History) -> None:
        """Take over what a run that this one retries has done; what does not hold is done anew."""
        inheritance = Inheritance.read(self._run_dir)
        if inheritance is None or history.published is not None:
            return
        for name in inheritance.missing(history):
            try:
                facts = await asyncio.to_thread(inheritance.take, name, self._area)
            except (StateUnreadableError, StateUnwritableError) as error:
                self._append("inheritance_refused", id=name, reason=error.what)
            else:
                self._append("partition_inherited", **facts)
                history.finished[name] = inheritance.accepted(name)

    async def _open_executors(self) -> Executors:
        if self._spec.cluster is None:
            return LocalExecutors(
                self._spec,
                self._run_dir,
                self._interpreter,
                mark=f"{self._spec.run_id}/{self._epoch}",
                post=self._events.put_nowait,
                clock=self._clock,
            )
        # Dask is loaded here and not before: a local run has no use for it.
        cluster = import_module("agi_env.runtime.cluster_start")
        started = await cluster.start(
            self._spec, self._epoch, self._keys, post=self._events.put_nowait, clock=self._clock
        )
        self._append("scheduler_started", address=started.address, dashboard=started.dashboard)
        executors: Executors = started.executors
        return executors

    async def _drive(self) -> None:
        async with AsyncExitStack() as listening:
            async with asyncio.TaskGroup() as tasks:
                self._tasks = tasks
                flushing = tasks.create_task(self._flush_batches())
                guarding = tasks.create_task(self._yield_to_a_successor())
                try:
                    self._carry_out(self._dispatch.start(self._clock()))
                    await listening.enter_async_context(control.serve(self._run_dir, self._obey))
                    await self._handle_events()
                finally:
                    await self._executors.close()
                    flushing.cancel()
                    guarding.cancel()
            # It still listens: removing a large work area takes long, and silence means stuck.
            await self._settle(self._settlement)

    async def _handle_events(self) -> None:
        while self._settlement is None:
            self._handle(await self._next_event())
            while self._settlement is None and not self._events.empty():
                self._handle(self._events.get_nowait())

    async def _yield_to_a_successor(self) -> None:
        """End when a later runner has claimed the work area, which may have been on another host.

        Nobody can tell this one if its host was cut off: the area is on the share, where all are.

        Raises:
            ConflictError: One has.
        """
        while self._spec.cluster is not None:
            await asyncio.sleep(LEASES_BETWEEN_CHECKS * self._spec.cluster.lease_s)
            with suppress(OSError):  # the share does not answer: then nobody can claim it
                await asyncio.to_thread(self._area.check, self._epoch)

    async def _next_event(self) -> events.Event:
        due = self._dispatch.deadline()
        left = None if due is None else due - self._clock()
        try:
            async with asyncio.timeout(left):
                return await self._events.get()
        except TimeoutError:
            return events.Tick(self._clock())

    def _handle(self, event: events.Event) -> None:
        self._carry_out(self._dispatch.handle(event))

    # Commands.

    async def _obey(self, command: dict[str, Any]) -> Mapping[str, Any]:
        if (about_slot := slot_event(command, self._spec, self._clock())) is not None:
            self._events.put_nowait(about_slot)
            return {"accepted": True}
        grace_s = self._grace(command)
        self._handle(events.CancelRequested(grace_s, self._clock()))
        self._events.put_nowait(events.Tick(self._clock()))  # the deadline may be nearer now
        await asyncio.to_thread(self._journal.flush)
        return {"accepted": self._dispatch.phase < Phase.PUBLISHING}

    def _grace(self, command: Mapping[str, Any]) -> float:
        match command:
            case {"op": "stop_now"}:
                return 0.0
            case {"op": "cancel", "grace_s": int() | float() as grace_s} if grace_s >= 0:
                return float(grace_s)
            case {"op": "cancel"} if "grace_s" not in command:
                return self._spec.cancel_grace_s
        raise RequestInvalidError(f"{command!r} is no command to a runner")

    # Instructions.

    def _carry_out(self, orders: list[instructions.Instruction]) -> None:
        for order in orders:
            match order:
                case instructions.Append():
                    self._append(order.kind, **order.fields)
                case instructions.StartExecutor():
                    self._executors.start(order.slot, order.executor)
                case instructions.KillExecutor():
                    self._executors.kill(order.slot, order.executor)
                case instructions.FenceSlot():
                    self._executors.fence(order.slot)
                case instructions.Publish():
                    self._tasks.create_task(self._publish())
                case instructions.Settle():
                    self._settlement = order
                case _:
                    self._executors.send(order.slot, order.executor, self._message(order))

    def _message(
        self,
        order: instructions.HandPartition | instructions.HandReduce | instructions.StopExecutor,
    ) -> dict[str, Any]:
        match order:
            case instructions.HandPartition():
                place = self._dispatch.ledger.place(order.id)
                directory = self._area.attempt(place, self._epoch, order.attempt)
                return executor_messages.work(
                    self._plan.partitions[place], order.attempt, directory
                )
            case instructions.HandReduce():
                directory = self._area.reduction(self._epoch, order.attempt)
                return executor_messages.reduce(self._results(), order.attempt, directory)
            case instructions.StopExecutor():
                return executor_messages.stop()

    def _results(self) -> list[tuple[Any, Any, Path]]:
        finished = self._dispatch.ledger.finished
        return [
            (each, accepted, self._area.attempt(place, accepted.epoch, accepted.attempt))
            for place, each in enumerate(self._plan.partitions)
            for accepted in [finished[each.id]]
        ]

    async def _publish(self) -> None:
        publication = Publication(
            self._spec,
            self._plan,
            self._epoch,
            self._dispatch.ledger.finished,
            self._dispatch.reduction.accepted,
        )
        try:
            await asyncio.to_thread(self._journal.flush)
            path = await asyncio.to_thread(publication.publish, self._area)
        except AgiError as error:
            facts = (error.code, error.to_metadata())
            self._events.put_nowait(events.PublishFailed(*facts, self._clock()))
        else:
            self._events.put_nowait(events.Published(str(path), self._clock()))

    async def _settle(self, settlement: instructions.Settle | None) -> None:
        if settlement is None:
            return
        await asyncio.to_thread(self._journal.flush)
        kept = await asyncio.to_thread(self._clear, settlement.state)
        self._append(
            "settled",
            state=str(settlement.state),
            error=settlement.error,
            kept=kept,
            summary=settlement.summary,
        )

    def _clear(self, state: instructions.RunState) -> str | None:
        if state is instructions.RunState.SUCCEEDED:
            try:
                self._area.remove()
            except OSError:  # what stays is named in the record
                return str(self._area.root)
        return str(self._area.root) if self._area.root.exists() else None

    # The journal.

    def _append(self, kind: str, **fields: Any) -> None:
        self._journal.append(kind, **fields)
        self._unflushed.set()

    async def _flush_batches(self) -> None:
        while True:
            await self._unflushed.wait()
            await asyncio.sleep(FLUSH_INTERVAL_S)
            self._unflushed.clear()
            await asyncio.to_thread(self._journal.flush)

    def _drop_lost_results(self, history: History) -> None:
        """Take out of the history what the disk did not keep, and say so."""
        for place, partition in enumerate(self._plan.partitions):
            accepted = history.finished.get(partition.id)
            if accepted is None or history.published is not None:
                continue
            directory = self._area.attempt(place, accepted.epoch, accepted.attempt)
            try:
                attempt.load(directory, accepted.sha256)
            except StateUnreadableError as error:
                self._append("result_lost", id=partition.id, reason=error.what)
                del history.finished[partition.id]
        self._drop_lost_reduction(history)

    def _drop_lost_reduction(self, history: History) -> None:
        if history.reduced is None or history.published is not None:
            return
        directory = self._area.reduction(history.reduced.epoch, history.reduced.attempt)
        try:
            attempt.load(directory, history.reduced.sha256)
        except StateUnreadableError:
            history.reduced = None

    def _settle_unusable(self, history: History, reason: AgiError) -> None:
        error = verdict.data_out_unusable(self._spec.data_out, reason)
        total = len(self._plan.partitions)
        done = len(history.finished)
        self._append(
            "settled",
            state=str(instructions.RunState.FAILED),
            error={"code": error.code, "metadata": error.to_metadata()},
            kept=self._clear(instructions.RunState.FAILED),
            summary={"total": total, "succeeded": done, "failed": 0, "seconds": 0.0},
        )


def _document(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise StateUnreadableError(
            f"it cannot be read: {error.strerror}", where=str(path)
        ) from None
