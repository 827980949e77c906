"""The workers of one run in a cluster mode: one for each slot, for as long as the run lasts."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Mapping, Sequence
from types import TracebackType
from typing import Any

from agi_cluster.model.run import Run
from agi_daemon.defects import defect
from agi_daemon.log import get_log
from agi_daemon.runs.attachment import Attachment
from agi_daemon.runs.exit_cause import unheard_cause
from agi_daemon.runs.record import RunRecord, SchedulerPlace
from agi_daemon.runs.slot_worker import Post, SlotWorker
from agi_daemon.transport.host_transport import HostTransport
from agi_env.errors import AgiError, OutOfTimeError
from agi_env.runtime.causes import EndCause, EndKind
from agi_env.runtime.cluster_keys import ClusterKeys

_log = get_log(__name__)

MOST_STARTS = 5
"""Starts of a worker in a row without a finished partition, after which its slot is given up."""
FIRST_PAUSE_S = 0.1
"""Seconds before a worker is started again; twice as long each time."""
REACH_PAUSE_S = 1.0
"""Seconds until a host that did not answer is asked again."""
MOST_UNREACHED_S = 60.0
"""Seconds without an answer of a slot's host, and without its worker: then it is given up."""
FAREWELL_S = 10.0
"""How long all workers together may take to end, when the run is over."""


class Workers:
    """Keeps a worker at every slot while its context is open.

    They are sent home when the run is settled; otherwise they are let go of and live on.
    """

    def __init__(
        self,
        record: RunRecord,
        keys: ClusterKeys,
        transport: Callable[[str], HostTransport],
        line: Attachment,
    ) -> None:
        """Prepare.

        Args:
            record: The run.
            keys: The run's keys.
            transport: How to act on each host.
            line: The line to the runner, which is told of slots that are given up.
        """
        self._run = record.run
        self._line = line
        self._scheduler = record.scheduler
        self._over = asyncio.Event()
        self._given_up: set[int] = set()
        self._unseen: set[int] = set()
        self._hosts = {slot.index: slot.host for slot in record.resolution.slots}
        self.left: set[str] = set()
        """Hosts of which it is not known, after the end of the run, that nothing of it is left."""
        self._starts = {slot.index: 0 for slot in record.resolution.slots}
        self._workers = {
            slot.index: SlotWorker(
                Post(transport=transport(slot.host), record=record, slot=slot.index, keys=keys)
            )
            for slot in record.resolution.slots
        }
        self._tasks: list[asyncio.Task[None]] = []

    async def __aenter__(self) -> Workers:
        for slot, worker in self._workers.items():
            if self._scheduler is not None:
                await worker.serve(self._scheduler)
            keeping = asyncio.create_task(self._keep(slot, worker), name=f"worker of slot {slot}")
            self._tasks.append(keeping)
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._over.is_set():
            for worker in self._workers.values():
                await worker.send_home()
            _, busy = await asyncio.wait(self._tasks, timeout=FAREWELL_S)
            late = {
                slot for slot, task in zip(self._workers, self._tasks, strict=True) if task in busy
            }
            self.left = {self._hosts[slot] for slot in late | self._unseen}
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def take(self, records: Sequence[Mapping[str, Any]], run: Run) -> None:
        """Take note of what the run's journal says, and of the run as it is then."""
        if run.state.settled:
            self._over.set()
        for record in records:
            match record:
                case {"kind": "scheduler_started", "address": str(address), "epoch": int(epoch)}:
                    await self._meet(SchedulerPlace(address=address, epoch=epoch))
                case {"kind": "runner_started"}:
                    for worker in self._workers.values():
                        worker.forget_runner()
                case {"kind": "slot_joined", "slot": int(slot)}:
                    await self._workers[slot].has_joined()
                case {"kind": "slot_lost", "slot": int(slot)}:
                    await self._workers[slot].has_lost()
                case {"kind": "slot_given_up", "slot": int(slot)}:
                    self._given_up.add(slot)
                    await self._workers[slot].send_home()
                case {"kind": "partition_finished", "slot": int(slot)}:
                    self._starts[slot] = 0

    async def _meet(self, scheduler: SchedulerPlace) -> None:
        for worker in self._workers.values():
            await worker.serve(scheduler)

    async def _keep(self, slot: int, worker: SlotWorker) -> None:
        """Have a worker at a slot until the run is over or it is hopeless."""
        patience = _Patience()
        while True:
            cause = await self._attend(slot, worker)
            unheard = cause.kind is EndKind.HOST_UNREACHABLE
            if self._is_over(slot) or cause.kind is EndKind.STOPPED:
                return
            if worker.was_unneeded and cause.exit_code == OutOfTimeError.exit_code:
                # The runner takes long until it listens, which is no worker's fault.
                await asyncio.sleep(FIRST_PAUSE_S)
                continue
            await self._tell(slot, cause, first=not patience.unreached)
            self._starts[slot] += not unheard
            pause = patience.pause(self._starts[slot], cause, holds=worker.holds)
            if pause is None:
                await self._line.give_up_slot(slot, cause)
                return
            await asyncio.sleep(pause)
            if self._is_over(slot):
                return

    def _is_over(self, slot: int) -> bool:
        return self._over.is_set() or slot in self._given_up

    async def _tell(self, slot: int, cause: EndCause, *, first: bool) -> None:
        """Have it in the journal; once for all the questions that a host does not answer."""
        _log.warning("worker gone", run=self._run.id, slot=slot, reason=cause.detail)
        if first or cause.kind is not EndKind.HOST_UNREACHABLE:
            await self._line.worker_gone(slot, cause)

    async def _attend(self, slot: int, worker: SlotWorker) -> EndCause:
        self._unseen.add(slot)
        try:
            cause = await worker.attend()
        except AgiError as error:
            return unheard_cause(error)
        except Exception as error:  # noqa: BLE001 - the boundary: logged, and the slot says it
            return unheard_cause(defect(error, where=f"run {self._run.id}, slot {slot}"))
        self._unseen.discard(slot)
        return cause


class _Patience:
    """How long to wait before a worker is started again, and when to stop."""

    def __init__(self) -> None:
        self._unreached_since: float | None = None

    @property
    def unreached(self) -> bool:
        """Whether the host did not answer the last time."""
        return self._unreached_since is not None

    def pause(self, starts: int, cause: EndCause, *, holds: bool) -> float | None:
        """Seconds to wait; None: nothing is to be expected of that slot any more.

        Args:
            starts: Workers that ended in a row without a finished partition.
            cause: Why the line to the worker ended.
            holds: The runner says that the slot's worker is there, whatever became of our line.
        """
        if cause.kind is not EndKind.HOST_UNREACHABLE:
            self._unreached_since = None
            return None if starts >= MOST_STARTS else FIRST_PAUSE_S * 2 ** max(0, starts - 1)
        now = time.monotonic()
        if self._unreached_since is None or holds:
            self._unreached_since = now
        return None if now - self._unreached_since >= MOST_UNREACHED_S else REACH_PAUSE_S
