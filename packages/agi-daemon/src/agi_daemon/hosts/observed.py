"""A transport that tells whoever keeps the hosts how a host answers."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import PurePosixPath
from types import TracebackType
from typing import Protocol, Self

from agi_daemon.log import get_log
from agi_daemon.transport.host_transport import (
    DEFAULT_OUTPUT_BYTES,
    Channel,
    Completed,
    HostTransport,
    OnLine,
    Stdin,
)
from agi_env.errors import HostError

_log = get_log(__name__)


class Witness(Protocol):
    """Takes note of how a host answers."""

    async def note_answer(self, address: str) -> None:
        """The host has done what it was asked; an error of this is logged, and nothing else."""
        ...

    async def note_failure(self, address: str, error: HostError) -> None:
        """The host did not answer, or not as it has to; errors as above."""
        ...


class ObservedTransport:
    """Acts through another transport and tells a witness what became of it."""

    def __init__(self, inner: HostTransport, witness: Witness) -> None:
        self._inner = inner
        self._witness = witness

    @property
    def inner(self) -> HostTransport:
        """The transport that acts."""
        return self._inner

    @property
    def host(self) -> str:
        """The name or address of the host, as in a worker map."""
        return self._inner.host

    @property
    def root(self) -> PurePosixPath:
        """The directory there that is ours."""
        return self._inner.root

    @property
    def python(self) -> str:
        """The host's own Python interpreter."""
        return self._inner.python

    @property
    def uv(self) -> str:
        """The host's uv."""
        return self._inner.uv

    async def run(
        self,
        argv: Sequence[str],
        *,
        stdin: Stdin = b"",
        deadline_s: float,
        idle_s: float | None = None,
        env: Mapping[str, str] | None = None,
        max_output_bytes: int = DEFAULT_OUTPUT_BYTES,
        on_line: OnLine | None = None,
    ) -> Completed:
        """Run a command to its end; see ``HostTransport.run``."""
        async with self._told():
            return await self._inner.run(
                argv,
                stdin=stdin,
                deadline_s=deadline_s,
                idle_s=idle_s,
                env=env,
                max_output_bytes=max_output_bytes,
                on_line=on_line,
            )

    async def open_channel(
        self, argv: Sequence[str], *, env: Mapping[str, str] | None = None
    ) -> Channel:
        """Start a command and talk to it; see ``HostTransport.open_channel``."""
        async with self._failures():
            channel = await self._inner.open_channel(argv, env=env)
        try:
            await self._answer()
        except asyncio.CancelledError:
            await channel.close()
            raise
        return _ObservedChannel(channel, self._failure)

    async def read_file(
        self, path: PurePosixPath, *, deadline_s: float, max_bytes: int = DEFAULT_OUTPUT_BYTES
    ) -> bytes:
        """Read a small file; see ``HostTransport.read_file``."""
        async with self._told():
            return await self._inner.read_file(path, deadline_s=deadline_s, max_bytes=max_bytes)

    async def write_files(
        self, directory: PurePosixPath, files: Mapping[str, bytes], *, deadline_s: float
    ) -> None:
        """Write small files atomically; see ``HostTransport.write_files``."""
        async with self._told():
            await self._inner.write_files(directory, files, deadline_s=deadline_s)

    async def aclose(self) -> None:
        """Let go of the connection, where there is one."""
        await self._inner.aclose()

    @asynccontextmanager
    async def _told(self) -> AsyncIterator[None]:
        async with self._failures():
            yield
        await self._answer()

    @asynccontextmanager
    async def _failures(self) -> AsyncIterator[None]:
        try:
            yield
        except HostError as error:
            await self._failure(error)
            raise

    async def _failure(self, error: HostError) -> None:
        await self._noted(self._witness.note_failure(self.host, error))

    async def _answer(self) -> None:
        await self._noted(self._witness.note_answer(self.host))

    async def _noted(self, noting: Awaitable[None]) -> None:
        """Have it noted; where that fails, what the host did stays what it did."""
        try:
            await noting
        except Exception as error:  # noqa: BLE001 - the boundary: logged, and a witness never decides
            _log.warning("what a host did is not noted", host=self.host, reason=str(error))


class _ObservedChannel:
    """A channel whose end by a broken connection is told."""

    def __init__(self, inner: Channel, failure: Callable[[HostError], Awaitable[None]]) -> None:
        self._inner = inner
        self._failure = failure

    async def lines(self) -> AsyncIterator[bytes]:
        """Lines of its standard output; see ``Channel.lines``."""
        try:
            async for line in self._inner.lines():
                yield line
        except HostError as error:
            await self._failure(error)
            raise

    async def send(self, data: bytes) -> None:
        """Write to its standard input; see ``Channel.send``."""
        await self._inner.send(data)

    async def wait(self) -> int:
        """Exit code, once it has ended; see ``Channel.wait``."""
        return await self._inner.wait()

    async def close(self) -> None:
        """End it; see ``Channel.close``."""
        await self._inner.close()

    def stderr_tail(self) -> bytes:
        """The last of what it wrote to standard error."""
        return self._inner.stderr_tail()

    async def __aenter__(self) -> Self:
        await self._inner.__aenter__()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self._inner.__aexit__(kind, error, trace)
