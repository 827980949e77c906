"""Executors as the runner sees them, wherever they are; and those that are its own children."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from pathlib import Path
from typing import Protocol

from agi_env.runtime import dispatch_events as events
from agi_env.runtime import executor_messages
from agi_env.runtime.bounded_log import BoundedLog
from agi_env.runtime.causes import EndCause, EndKind
from agi_env.runtime.executor_process import ExecutorProcess
from agi_env.runtime.frames import Message
from agi_env.runtime.interpreter import Interpreter
from agi_env.runtime.spec import RunSpec

LOGS_DIRECTORY = "logs"


class Executors(Protocol):
    """All executors of a run. What happens to them comes back as events."""

    def start(self, slot: int, executor: int) -> None:
        """Start an executor where none is; it ends with an ``ExecutorEnded``."""
        ...

    def send(self, slot: int, executor: int, message: Message) -> None:
        """Send a message to an executor; to one that is gone, nothing happens."""
        ...

    def kill(self, slot: int, executor: int) -> None:
        """End an executor now, with everything below it."""
        ...

    def fence(self, slot: int) -> None:
        """Take the loss of a slot for settled; whoever joins from now on may have it."""
        ...

    async def close(self) -> None:
        """Let go of everything; what still lives is killed."""
        ...


class LocalExecutors:
    """Executors that are children of this process."""

    def __init__(
        self,
        spec: RunSpec,
        run_dir: Path,
        interpreter: Interpreter,
        *,
        mark: str,
        post: Callable[[events.Event], None],
        clock: Callable[[], float] = time.time,
    ) -> None:
        """Prepare; nothing is started yet.

        Args:
            spec: The run.
            run_dir: Its directory; the logs go below it, and it is the executors' current one.
            interpreter: What to run them with.
            mark: What tells the processes of this runner from all others.
            post: Takes the events.
            clock: The time of the events.
        """
        self._spec = spec
        self._slots = {slot.index: slot for slot in spec.slots}
        self._run_dir = run_dir
        self._interpreter = interpreter
        self._mark = mark
        self._post = post
        self._clock = clock
        self._processes: dict[tuple[int, int], ExecutorProcess] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._logs: dict[tuple[int, int], BoundedLog] = {}
        self._started = 0

    def start(self, slot: int, executor: int) -> None:
        """Start an executor and tell it what to import."""
        try:
            process = self._process(slot, executor)
        except OSError as error:
            cause = EndCause(EndKind.NOT_STARTED, detail=f"could not be started: {error}")
            self._post(events.ExecutorEnded(slot, executor, cause, self._clock()))
            return
        self._processes[slot, executor] = process
        self._post(events.ExecutorStarted(slot, executor, process.pid, self._clock()))
        process.send(executor_messages.start(self._spec, self._slots[slot], executor))
        task = asyncio.create_task(self._attend(slot, executor, process))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def send(self, slot: int, executor: int, message: Message) -> None:
        """Send a message to an executor."""
        if (process := self._processes.get((slot, executor))) is not None:
            process.send(message)

    def kill(self, slot: int, executor: int) -> None:
        """End an executor and its process group; the rest goes when it has ended."""
        if (process := self._processes.get((slot, executor))) is not None:
            process.kill()

    def fence(self, slot: int) -> None:
        """Nothing: children are not lost while their parent lives."""

    async def close(self) -> None:
        """Kill what lives and close the logs."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        for log in self._logs.values():
            log.close()

    def _process(self, slot: int, executor: int) -> ExecutorProcess:
        self._started += 1
        return ExecutorProcess(
            self._interpreter,
            mark=f"{self._mark}/{slot}.{executor}/{self._started}",
            threads=self._slots[slot].threads,
            directory=self._run_dir,
            log=self._log(slot, executor),
            on_message=lambda message: self._heard(slot, executor, message),
            device=self._slots[slot].device_of(executor),
        )

    def _log(self, slot: int, executor: int) -> BoundedLog:
        if (slot, executor) not in self._logs:
            path = self._run_dir / LOGS_DIRECTORY / f"executor-{slot}-{executor}.log"
            self._logs[slot, executor] = BoundedLog(path, self._spec.log_limit_bytes)
        return self._logs[slot, executor]

    def _heard(self, slot: int, executor: int, message: Message) -> None:
        process = self._processes[slot, executor]
        tail = process.log_tail() if message.get("cause") else ""
        at = self._clock()
        self._post(executor_messages.understood(slot, executor, message, tail, at))

    async def _attend(self, slot: int, executor: int, process: ExecutorProcess) -> None:
        cause = await process.wait()
        del self._processes[slot, executor]
        self._post(events.ExecutorEnded(slot, executor, cause, self._clock()))
