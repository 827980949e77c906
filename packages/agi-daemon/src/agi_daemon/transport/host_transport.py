"""The one way to act on a host, whether it is this machine or is reached over SSH."""

from __future__ import annotations

from collections.abc import AsyncIterable, AsyncIterator, Callable, Mapping, Sequence
from pathlib import PurePosixPath
from types import TracebackType
from typing import Protocol, Self

from attrs import frozen

DEFAULT_OUTPUT_BYTES = 16 * 1024 * 1024
"""What a command may write before it is killed, unless told otherwise: 16 MiB."""

STDERR_BYTES = 64 * 1024
"""How much of its standard error is kept: the last 64 KiB, which say why it failed."""

Stdin = bytes | AsyncIterable[bytes]
OnLine = Callable[[bytes], None]


@frozen
class Completed:
    """How a command ended and what it wrote."""

    returncode: int
    stdout: bytes
    stderr: bytes
    """The last `STDERR_BYTES` of it."""


class Channel(Protocol):
    """A command that is talked to while it runs."""

    def lines(self) -> AsyncIterator[bytes]:
        """Lines of its standard output, without the newline, until it closes it.

        Raises:
            OutputTooLargeError: A line is longer than the transport takes.
        """
        ...

    async def send(self, data: bytes) -> None:
        """Write to its standard input; a command that has ended takes nothing and says nothing."""
        ...

    async def wait(self) -> int:
        """Exit code, negative for a signal, once it has ended."""
        ...

    async def close(self) -> None:
        """Close its standard input, give it a moment to end, then kill its process group."""
        ...

    def stderr_tail(self) -> bytes:
        """The last of what it wrote to standard error."""
        ...

    async def __aenter__(self) -> Self: ...

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None: ...


class HostTransport(Protocol):
    """Commands and small files on one host.

    Every command is an argument list, runs in a process group of its own with a clean
    environment, and is killed as a group when its deadline passes or the caller is cancelled.
    """

    @property
    def host(self) -> str:
        """The name or address of the host, as in a worker map."""
        ...

    @property
    def root(self) -> PurePosixPath:
        """The directory there that is ours; a leading ``~`` is the login's home."""
        ...

    @property
    def python(self) -> str:
        """The host's own Python interpreter."""
        ...

    @property
    def uv(self) -> str:
        """The host's uv; empty for the one on the login's PATH."""
        ...

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
        """Run a command to its end; a non-zero exit code is the caller's to judge.

        Args:
            argv: The command, one argument each; nothing is given to a shell.
            stdin: What it reads, whole or piece by piece.
            deadline_s: Seconds after which it is killed.
            idle_s: Seconds without any byte in or out after which it is killed; none for no limit.
            env: Variables to set in addition to the clean environment.
            max_output_bytes: How much it may write to its standard output.
            on_line: Called with each line of standard output as it comes, without the newline.

        Raises:
            HostCommandTimeoutError: The deadline passed, or nothing moved for ``idle_s``.
            OutputTooLargeError: It wrote more than ``max_output_bytes`` to its standard output.
            RefusedError: It cannot be started there.
        """
        ...

    async def open_channel(
        self, argv: Sequence[str], *, env: Mapping[str, str] | None = None
    ) -> Channel:
        """Start a command and talk to it; close the channel to end it.

        Raises:
            RefusedError: It cannot be started there.
        """
        ...

    async def read_file(
        self, path: PurePosixPath, *, deadline_s: float, max_bytes: int = DEFAULT_OUTPUT_BYTES
    ) -> bytes:
        """Read a small file.

        Raises:
            NotFoundError: There is no such file.
            OutputTooLargeError: It is larger than ``max_bytes``.
            HostCommandTimeoutError: The deadline passed.
        """
        ...

    async def write_files(
        self, directory: PurePosixPath, files: Mapping[str, bytes], *, deadline_s: float
    ) -> None:
        """Write small files, each atomically and 0600, into a directory that is made 0700.

        Raises:
            DiskFullError: There is no room.
            StateUnwritableError: The directory cannot be written.
            HostCommandTimeoutError: The deadline passed.
        """
        ...

    async def aclose(self) -> None:
        """Let go of the connection, where there is one."""
        ...
