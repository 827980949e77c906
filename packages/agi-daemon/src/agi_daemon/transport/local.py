"""This machine as a host like any other."""

from __future__ import annotations

import asyncio
import contextlib
import sys
from collections import deque
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from pathlib import Path, PurePosixPath
from types import TracebackType
from typing import Self, TypeVar

from uv import find_uv_bin

from agi_cluster.model.selection import THIS_MACHINE
from agi_daemon.transport.child_process import (
    kill_group,
    release_pipes,
    run_child,
    start_child,
)
from agi_daemon.transport.host_transport import DEFAULT_OUTPUT_BYTES, Completed, OnLine, Stdin
from agi_env.atomic_file import write_atomically
from agi_env.errors import HostCommandTimeoutError, NotFoundError, OutputTooLargeError
from agi_env.paths import private_directory

_LINE_BYTES = 8 * 1024 * 1024
_TAIL_PIECES = 16
_CLOSE_WAIT_S = 1.0

_T = TypeVar("_T")


def base_python() -> str:
    """The interpreter below this one's virtual environment, which builds are made with."""
    return str(Path(getattr(sys, "_base_executable", sys.executable)).resolve())


class LocalChannel:
    """A command of this machine that is talked to while it runs."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process
        self._errors: deque[bytes] = deque(maxlen=_TAIL_PIECES)
        self._drain = asyncio.create_task(self._keep_tail(), name=f"stderr of {process.pid}")

    async def lines(self) -> AsyncIterator[bytes]:
        """Lines of its standard output, without the newline, until it closes it."""
        assert self._process.stdout
        try:
            async for line in self._process.stdout:
                yield line.rstrip(b"\n")
        except ValueError as error:  # the stream reader's word for a line over its limit
            raise OutputTooLargeError(f"a line is longer than {_LINE_BYTES} bytes") from error

    async def send(self, data: bytes) -> None:
        """Write to its standard input; a command that has ended takes nothing."""
        assert self._process.stdin
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):
            self._process.stdin.write(data)
            await self._process.stdin.drain()

    async def wait(self) -> int:
        """Exit code, negative for a signal, once it has ended."""
        return await self._process.wait()

    async def close(self) -> None:
        """Close its standard input, give it a moment to end, then kill its process group."""
        assert self._process.stdin
        self._process.stdin.close()
        try:
            await asyncio.wait_for(self._process.wait(), _CLOSE_WAIT_S)
        except TimeoutError:
            await kill_group(self._process)
        finally:
            release_pipes(self._process)
            self._drain.cancel()
            await asyncio.gather(self._drain, return_exceptions=True)

    def stderr_tail(self) -> bytes:
        """The last of what it wrote to standard error."""
        return b"".join(self._errors)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self.close()

    async def _keep_tail(self) -> None:
        assert self._process.stderr
        while piece := await self._process.stderr.read(4096):
            self._errors.append(piece)


class LocalTransport:
    """Commands and files of this machine, behind the protocol that serves every host.

    Args:
        root: The directory that is this host's; made when first written to.
        host: The name of this machine in worker maps.
        python: The interpreter that builds are made with; the one below ours by default.
        uv: The uv to use; the one of the ``uv`` package by default.
    """

    def __init__(
        self, root: Path, *, host: str = THIS_MACHINE, python: str = "", uv: str = ""
    ) -> None:
        self._host = host
        self._root = PurePosixPath(root)
        self._python = python or base_python()
        self._uv = uv or find_uv_bin()

    @property
    def host(self) -> str:
        """The name of this machine in worker maps."""
        return self._host

    @property
    def root(self) -> PurePosixPath:
        """The directory that is this host's."""
        return self._root

    @property
    def python(self) -> str:
        """The interpreter that builds are made with."""
        return self._python

    @property
    def uv(self) -> str:
        """The uv that builds are made with."""
        return self._uv

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
        return await run_child(
            argv,
            stdin=stdin,
            deadline_s=deadline_s,
            idle_s=idle_s,
            env=env,
            max_output_bytes=max_output_bytes,
            on_line=on_line,
            where=self._host,
        )

    async def open_channel(
        self, argv: Sequence[str], *, env: Mapping[str, str] | None = None
    ) -> LocalChannel:
        """Start a command and talk to it; see ``HostTransport.open_channel``."""
        return LocalChannel(await start_child(argv, env=env, line_bytes=_LINE_BYTES))

    async def read_file(
        self, path: PurePosixPath, *, deadline_s: float, max_bytes: int = DEFAULT_OUTPUT_BYTES
    ) -> bytes:
        """Read a small file; see ``HostTransport.read_file``."""
        return await self._within(deadline_s, path, lambda: _read(Path(path), max_bytes))

    async def write_files(
        self, directory: PurePosixPath, files: Mapping[str, bytes], *, deadline_s: float
    ) -> None:
        """Write small files atomically; see ``HostTransport.write_files``."""
        await self._within(deadline_s, directory, lambda: _write(Path(directory), files))

    async def aclose(self) -> None:
        """Nothing is held open."""

    async def _within(self, deadline_s: float, path: PurePosixPath, act: Callable[[], _T]) -> _T:
        try:
            return await asyncio.wait_for(asyncio.to_thread(act), deadline_s)
        except TimeoutError:
            raise HostCommandTimeoutError(
                f"the file system did not answer in {deadline_s:g} s", where=str(path)
            ) from None


def _read(path: Path, max_bytes: int) -> bytes:
    try:
        with path.open("rb") as file:
            content = file.read(max_bytes + 1)
    except FileNotFoundError as error:
        raise NotFoundError("there is no such file", where=str(path)) from error
    if len(content) > max_bytes:
        raise OutputTooLargeError(f"the file exceeds {max_bytes} bytes", where=str(path))
    return content


def _write(directory: Path, files: Mapping[str, bytes]) -> None:
    private_directory(directory)
    for name, content in files.items():
        write_atomically(directory / name, content)
