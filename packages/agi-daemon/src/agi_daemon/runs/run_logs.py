"""What the processes of a run printed, on all its hosts: once as far as it is, or as it comes."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Callable, Sequence

from agi_daemon.hosts.hosts import Hosts
from agi_daemon.log import get_log
from agi_daemon.runs import run_directory
from agi_daemon.runs.record import RunRecord
from agi_env.errors import HostError

_log = get_log(__name__)

_PAUSE_S = 0.25
"""How often a run that is followed is looked at: it may have got hosts, or be settled."""
_AGAIN_S = 1.0
"""Seconds until a host is asked again whose connection was lost."""
_AHEAD = 64
"""Pieces that wait for a slow reader, before the hosts have to."""

_Piece = tuple[str, str]


class RunLogs:
    """The logs of one run.

    Args:
        hosts: The ways to its hosts.
        record: Reads the run.
        file: Only the log of this name; empty: all.
    """

    def __init__(self, hosts: Hosts, record: Callable[[], RunRecord], file: str) -> None:
        self._hosts = hosts
        self._record = record
        self._file = file

    async def read(self) -> AsyncIterator[_Piece]:
        """Yield what is there, host after host, each piece with its file.

        Raises:
            HostError: A host could not be asked; what the others have came before.
            NotFoundError: The run's build, which reads them, is not there any more.
        """
        record, unheard = self._record(), None
        for host in _hosts_of(record):
            try:
                transport = self._hosts.transport(host)
                async for piece in run_directory.read_logs(transport, record, self._file):
                    yield piece
            except HostError as error:  # the others' logs are worth as much
                unheard = error
        if unheard is not None:
            raise unheard

    async def follow(self) -> AsyncIterator[_Piece]:
        """Yield what is there and what comes, until the run is settled; raises as `read` does."""
        following = _Following(self._hosts, self._record, self._file)
        try:
            async for piece in following.pieces():
                yield piece
        finally:
            await following.close()
        following.check()


class _Following:
    """A task for each host, all of which put what comes into one queue."""

    def __init__(self, hosts: Hosts, record: Callable[[], RunRecord], file: str) -> None:
        self._hosts = hosts
        self._record = record
        self._file = file
        self._settled = asyncio.Event()
        self._queue: asyncio.Queue[_Piece] = asyncio.Queue(_AHEAD)
        self._tasks: dict[str, asyncio.Task[None]] = {}

    async def pieces(self) -> AsyncIterator[_Piece]:
        """What comes, until the run is settled and all was read."""
        while not self._over():
            record = self._record()
            if record.run.state.settled:  # seen first: all was written before what is read now
                self._settled.set()
            for host in _hosts_of(record):
                if host not in self._tasks:
                    self._tasks[host] = asyncio.create_task(self._read(host), name=f"log of {host}")
            try:
                async with asyncio.timeout(_PAUSE_S):
                    piece = await self._queue.get()
            except TimeoutError:
                continue
            yield piece

    def check(self) -> None:
        """Raise what kept a host's log from being read."""
        for task in self._tasks.values():
            task.result()

    async def close(self) -> None:
        """End the tasks, and with them what they started on the hosts."""
        for task in self._tasks.values():
            task.cancel()
        await asyncio.gather(*self._tasks.values(), return_exceptions=True)

    def _over(self) -> bool:
        read = all(task.done() for task in self._tasks.values())
        return self._settled.is_set() and read and self._queue.empty()

    async def _read(self, host: str) -> None:
        passed: Counter[str] = Counter()
        while True:
            try:
                return await self._pass_on(host, passed)
            except HostError as error:
                if self._settled.is_set():
                    raise
                _log.info("a log is asked for again", host=host, reason=str(error))
            await asyncio.sleep(_AGAIN_S)

    async def _pass_on(self, host: str, passed: Counter[str]) -> None:
        """Queue what a host has, but for the characters that an earlier call has passed on."""
        skip = Counter(passed)
        transport, record = self._hosts.transport(host), self._record()
        pieces = run_directory.follow_logs(transport, record, self._file, self._settled)
        async for file, text in pieces:
            new = text[skip[file] :]
            skip[file] = max(0, skip[file] - len(text))
            if new:
                await self._queue.put((file, new))
                passed[file] += len(new)


def _hosts_of(record: RunRecord) -> Sequence[str]:
    """Where there are logs: nowhere, before the run has a directory."""
    if not record.run.paths.run_directory:
        return ()
    return tuple(dict.fromkeys((record.runner_host, *record.builds)))
