"""A worker's side of Dask: the connection to the runner, and the tasks that come over it."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import distributed

from agi_env.errors import OutOfTimeError, RefusedError
from agi_env.runtime.cluster_keys import KeyFiles
from agi_env.runtime.dask_security import security
from agi_env.runtime.dask_task import WORD, Carry
from agi_env.runtime.frames import Message
from agi_env.runtime.own_address import in_url
from agi_env.runtime.port_range import PortRange

CONNECT_S = 10.0
CLOSE_S = 2.0


@dataclass(frozen=True, slots=True)
class Berth:
    """Where a worker is and what it has room for.

    Attributes:
        name: The worker's name, used once.
        host: The address to listen at.
        ports: The ports to take one of.
        tasks: How many tasks it takes at once.
        directory: What is Dask's on this host.
    """

    name: str
    host: str
    ports: PortRange
    tasks: int
    directory: Path


class DaskWorker:
    """A connection to a runner.

    Attributes:
        ended: Set when the connection is gone, whoever closed it.
    """

    def __init__(
        self,
        scheduler: str,
        berth: Berth,
        files: KeyFiles,
        on_word: Callable[[Message], None],
        carry: Carry,
    ) -> None:
        """Prepare; in the event loop.

        Args:
            scheduler: The address of the runner's scheduler.
            berth: Where this worker is.
            files: The run's keys.
            on_word: Gets each message of the runner.
            carry: Gets the text of each task and returns when it is done with.
        """
        self.ended = asyncio.Event()
        self._scheduler = scheduler
        self._worker = _Worker(
            scheduler,
            name=berth.name,
            host=in_url(berth.host),
            port=f"{berth.ports.first}:{berth.ports.last}",
            nthreads=berth.tasks,
            security=security(files),
            local_directory=str(berth.directory),
            memory_limit=0,
            dashboard=False,
        )
        self._worker.carry = carry
        self._worker.stream_handlers[WORD] = lambda text: on_word(json.loads(text))
        self._watch: asyncio.Task[None] | None = None

    async def connect(self) -> None:
        """Connect to the runner.

        Raises:
            OutOfTimeError: It did not answer within 10 s.
            RefusedError: Nobody is there, or no port is free here.
        """
        try:
            async with asyncio.timeout(CONNECT_S):
                await self._worker
        except TimeoutError as error:
            raise OutOfTimeError("the runner does not answer", where=self._scheduler) from error
        except (OSError, ValueError, RuntimeError) as error:
            raise RefusedError(f"no way to the runner: {error}", where=self._scheduler) from error
        self._watch = asyncio.create_task(self._notice_end(), name="end of the connection")

    def tell(self, message: Message) -> None:
        """Send a message to the runner, in order; nothing happens when the connection is gone."""
        self._worker.batched_send({"op": WORD, "text": json.dumps(message, allow_nan=False)})

    async def close(self) -> None:
        """Let go of the runner, within two seconds."""
        with suppress(TimeoutError):
            async with asyncio.timeout(CLOSE_S):
                await self._worker.close(timeout=CLOSE_S, executor_wait=False, nanny=False)
        if self._watch is not None:
            self._watch.cancel()
            await asyncio.gather(self._watch, return_exceptions=True)

    async def _notice_end(self) -> None:
        finished: Awaitable[None] = self._worker.finished()  # type: ignore[no-untyped-call]
        await finished
        self.ended.set()


class _Worker(distributed.Worker):
    carry: Carry

    def start_http_server(self, *arguments: Any, **options: Any) -> None:
        """Listen for nothing but the runner and the other workers."""
