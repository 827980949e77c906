"""Executors below workers: who holds which slot, and what is said through Dask.

Slots are granted to workers by leases. What a worker says counts while its lease does. A slot that
was lost is granted anew only when dispatch has let go of it, so that orders for one worker never
reach its successor.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from typing import Protocol

from agi_env.runtime import dispatch_events as events
from agi_env.runtime import worker_messages
from agi_env.runtime.causes import EndKind
from agi_env.runtime.frames import Message
from agi_env.runtime.spec import RunSpec
from agi_env.runtime.worker_leases import Lease, WorkerLeases

EXPIRED = "its lease expired"
GO_S = 2.0
"""How long workers may take to leave when the run is over."""
_TASKS = frozenset({"work", "reduce"})


class Link(Protocol):
    """The way to the workers, as ``DaskLink`` is one."""

    def tell(self, worker: str, message: Message) -> None:
        """Send a message to a worker, in order."""
        ...

    def hand(self, worker: str, key: str, text: str) -> None:
        """Give a task to a worker."""
        ...

    async def drop(self, worker: str, reason: str) -> None:
        """Have no connection to a worker any more."""
        ...

    @property
    def workers(self) -> tuple[str, ...]:
        """The addresses of the connected workers."""
        ...

    async def close(self) -> None:
        """Let go of all."""
        ...


class ClusterExecutors:
    """The executors of a run in a cluster mode."""

    def __init__(
        self,
        spec: RunSpec,
        epoch: int,
        link: Link,
        *,
        lease_s: float,
        post: Callable[[events.Event], None],
        clock: Callable[[], float],
    ) -> None:
        """Take over an open link; in the event loop.

        Args:
            spec: The run.
            epoch: The runner's epoch; workers of another are refused.
            link: The way to the workers.
            lease_s: Seconds without a word after which a worker has lost its slot.
            post: Takes the events.
            clock: The time of the events.
        """
        self._epoch = epoch
        self._link = link
        self._post = post
        self._clock = clock
        self._leases = WorkerLeases(epoch, lease_s)
        self._free = {slot.index for slot in spec.slots}
        self._waiting: dict[int, tuple[str, float]] = {}
        self._starts: Counter[tuple[int, int]] = Counter()
        self._turns: Counter[tuple[int, int]] = Counter()
        self._lease_s = lease_s
        self._leaving: set[str] = set()
        self._left = asyncio.Event()
        self._dropping: set[asyncio.Task[None]] = set()
        self._watch = asyncio.create_task(self._expire(), name="leases")

    # What dispatch wants.

    def start(self, slot: int, executor: int) -> None:
        """Have the slot's worker start an executor."""
        self._starts[slot, executor] += 1
        self._turns[slot, executor] = 0
        self._tell(slot, worker_messages.start(executor, self._starts[slot, executor]))

    def send(self, slot: int, executor: int, message: Message) -> None:
        """Send a message to an executor; what takes its time goes as a task."""
        lease = self._leases.of(slot)
        if lease is None:
            return
        if message["op"] not in _TASKS:
            self._link.tell(lease.worker, worker_messages.send(executor, message))
            return
        start, turn = self._starts[slot, executor], self._turns[slot, executor]
        self._turns[slot, executor] += 1
        text = worker_messages.task(executor, start, turn, message)
        self._link.hand(lease.worker, _key(message, f"{slot}.{executor}.{start}.{turn}"), text)

    def kill(self, slot: int, executor: int) -> None:
        """Have the slot's worker end an executor."""
        self._tell(slot, worker_messages.kill(executor))

    def fence(self, slot: int) -> None:
        """Dispatch has let go of a lost slot: it may be granted again."""
        self._free.add(slot)
        if (waiting := self._waiting.pop(slot, None)) is not None:
            self._join(*waiting, slot)

    async def close(self) -> None:
        """Send all workers home; wait until they have gone, for two seconds at most."""
        self._watch.cancel()
        await asyncio.gather(self._watch, *self._dropping, return_exceptions=True)
        self._leaving = set(self._link.workers)
        for worker in self._leaving:
            self._link.tell(worker, worker_messages.end())
        if self._leaving:
            with suppress(TimeoutError):  # a silent one: its own clock ends it
                await asyncio.wait_for(self._left.wait(), GO_S)
        await self._link.close()

    # What workers say.

    def heard(self, worker: str, message: Message) -> None:
        """Take what a worker said."""
        match message:
            case {"op": "join", "slot": int(slot), "epoch": int(epoch), "sent_at": float(sent_at)}:
                self._asked(worker, slot, epoch, sent_at)
            case {"op": "renew", "lease": str(name), "sent_at": float(sent_at)}:
                self._renew(worker, name, sent_at)
            case {"op": "event", "lease": str(name)}:
                if self._leases.find(name) is not None:
                    self._post(worker_messages.understood_event(message, self._clock()))

    def gone(self, worker: str, reason: str) -> None:
        """Take note that a worker is no longer connected, or no longer of use."""
        self._leaving.discard(worker)
        if not self._leaving:
            self._left.set()
        self._waiting = {
            slot: waiting for slot, waiting in self._waiting.items() if waiting[0] != worker
        }
        if (lease := self._leases.held_by(worker)) is not None:
            self._lose(lease, reason, EndKind.DISCONNECTED)

    def _asked(self, worker: str, slot: int, epoch: int, sent_at: float) -> None:
        held = self._leases.of(slot)
        if epoch != self._epoch:
            self._refuse(worker, f"this is epoch {self._epoch}, not {epoch}")
        elif held is not None and held.worker == worker:
            self._renew(worker, held.id, sent_at)
        elif held is not None or self._waiting.get(slot, (worker,))[0] != worker:
            self._refuse(worker, f"slot {slot} is another worker's")
        elif slot in self._free:
            self._join(worker, sent_at, slot)
        else:
            self._waiting[slot] = (worker, sent_at)

    def _join(self, worker: str, sent_at: float, slot: int) -> None:
        at = self._clock()
        lease = self._leases.grant(slot, worker, at)
        if lease is not None:
            self._free.discard(slot)
            self._link.tell(worker, worker_messages.granted(lease.id, sent_at))
            self._post(events.SlotJoined(slot, lease.id, worker, at))

    def _renew(self, worker: str, name: str, sent_at: float) -> None:
        if self._leases.renew(name, self._clock()):
            self._link.tell(worker, worker_messages.granted(name, sent_at))
        else:
            self._refuse(worker, EXPIRED)

    def _refuse(self, worker: str, reason: str) -> None:
        self._link.tell(worker, worker_messages.fenced(reason))

    def _lose(self, lease: Lease, reason: str, kind: EndKind) -> None:
        self._leases.end(lease.slot)
        self._refuse(lease.worker, reason)
        dropping = asyncio.create_task(
            self._link.drop(lease.worker, reason), name=f"drop slot {lease.slot}"
        )
        self._dropping.add(dropping)
        dropping.add_done_callback(self._dropping.discard)
        self._post(events.SlotLost(lease.slot, reason, self._clock(), kind))

    async def _expire(self) -> None:
        while True:
            due = self._leases.deadline()
            # A lease that is granted meanwhile lasts longer than this pause.
            left = self._lease_s if due is None else due - self._clock()
            await asyncio.sleep(max(0.0, min(left, self._lease_s)))
            for lease in self._leases.expired(self._clock()):
                self._lose(lease, EXPIRED, EndKind.LEASE_EXPIRED)

    def _tell(self, slot: int, message: Message) -> None:
        if (lease := self._leases.of(slot)) is not None:
            self._link.tell(lease.worker, message)


def _key(message: Message, where: str) -> str:
    """A task's name: the dashboard shows what is before the first dash, in one colour."""
    what = message["partition"]["id"] if message["op"] == "work" else "results"
    return f"{message['op']}-{what}-{where}"
