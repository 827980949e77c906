"""Tasks on their way to a worker's executors: each in its turn, and known until it is done with."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from dataclasses import dataclass, field

from agi_env.runtime import dispatch_events as events
from agi_env.runtime.frames import Message

_OUTCOMES = (
    events.PartitionFinished,
    events.PartitionFailed,
    events.ReduceFinished,
    events.ReduceFailed,
)


@dataclass(slots=True)
class _Start:
    """One start of an executor, until it ends."""

    number: int
    turn: int = 0
    early: dict[int, Message] = field(default_factory=dict)
    waiting: dict[int, asyncio.Future[None]] = field(default_factory=dict)

    def finish_first(self) -> None:
        if self.waiting:
            _finish(self.waiting.pop(min(self.waiting)))

    def finish_all(self) -> None:
        for done in self.waiting.values():
            _finish(done)


class Carrying:
    """What was handed to the executors and is not done with, in the order of its turns."""

    def __init__(self, send: Callable[[int, Message], None]) -> None:
        """Make it empty.

        Args:
            send: Sends a message to an executor.
        """
        self._send = send
        self._starts: dict[int, _Start] = {}

    def begin(self, executor: int, number: int) -> None:
        """An executor is being started; tasks for earlier starts of it are void."""
        self._starts[executor] = _Start(number)

    async def carry(self, text: str) -> None:
        """Pass a task on when its turn has come; return when its executor is done with it."""
        task = json.loads(text)
        executor, turn = int(task["executor"]), int(task["turn"])
        start = self._starts.get(executor)
        if start is None or start.number != task["start"]:
            return  # it ended: the runner knows, and hands the partition out again
        done = asyncio.get_running_loop().create_future()
        start.waiting[turn] = done
        start.early[turn] = task["message"]
        while (message := start.early.pop(start.turn, None)) is not None:
            start.turn += 1
            self._send(executor, message)
        await done

    def note(self, event: events.SeatEvent) -> None:
        """Take note of what an executor did: it is done with its oldest task, or with all."""
        start = self._starts.get(event.executor)
        if start is None:
            return
        if isinstance(event, events.ExecutorEnded):
            del self._starts[event.executor]
            start.finish_all()
        elif isinstance(event, _OUTCOMES):
            start.finish_first()


def _finish(done: asyncio.Future[None]) -> None:
    if not done.done():
        done.set_result(None)
