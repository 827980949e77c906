"""A command on another machine that is talked to while it runs."""

from __future__ import annotations

from collections import deque
from collections.abc import AsyncIterator
from contextlib import suppress
from types import TracebackType
from typing import Self

from agi_daemon.transport.ssh_command import SshCommand, not_started
from agi_daemon.transport.ssh_pool import SshPool
from agi_daemon.transport.ssh_process import SshProcess
from agi_env.errors import OutputTooLargeError

_LINE_BYTES = 8 * 1024 * 1024
_CLOSE_WAIT_S = 1.0
_END_WAIT_S = 0.25
"""Why a command ended comes right after the end of its output, where it did end."""


class SshChannel:
    """Implements ``Channel`` over a command of a host.

    Where the connection breaks, ``lines`` and ``wait`` raise ``HostConnectionLostError``: whether
    the command goes on there is not known. What cannot be started there is known only after the
    channel was opened, so they raise ``RefusedError`` as well.
    """

    def __init__(self, pool: SshPool, process: SshProcess, command: SshCommand, name: str) -> None:
        self._pool = pool
        self._process = process
        self._command = command
        self._name = name
        self._ready: deque[bytes] = deque()
        self._partial = bytearray()

    async def lines(self) -> AsyncIterator[bytes]:
        """Lines of its standard output, without the newline, until it closes it."""
        while True:
            while self._ready:
                yield self._ready.popleft()
            piece = await self._process.read()
            if not piece:
                break
            self._split(piece)
        await self._process.closed_within(_END_WAIT_S)
        if self._process.is_closed:
            self._judge()
        if self._partial:
            last, self._partial = bytes(self._partial), bytearray()
            yield last

    async def send(self, data: bytes) -> None:
        """Write to its standard input; a command that has ended takes nothing."""
        with suppress(BrokenPipeError):
            await self._process.write(data)

    async def wait(self) -> int:
        """Exit code, negative for a signal, once it has ended."""
        await self._process.exited()
        return self._judge()

    async def close(self) -> None:
        """Close its standard input, give it a moment to end, then kill its process group."""
        self._process.write_eof()
        self._process.forget_output()
        await self._process.closed_within(_CLOSE_WAIT_S)
        await self._pool.end(self._process)

    def stderr_tail(self) -> bytes:
        """The last of what it wrote to standard error."""
        return self._process.stderr_tail()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self.close()

    def _split(self, piece: bytes) -> None:
        first, *others = piece.split(b"\n")
        self._partial += first
        if others:
            *whole, rest = others
            self._ready.append(bytes(self._partial))
            self._ready.extend(whole)
            self._partial = bytearray(rest)
        if len(self._partial) > _LINE_BYTES:
            raise OutputTooLargeError(f"a line is longer than {_LINE_BYTES} bytes")

    def _judge(self) -> int:
        code = self._process.code
        if code is None:
            raise self._pool.failure.lost(self._process.lost)
        reason = not_started(self._command, code, self._process.stderr_tail())
        if reason:
            raise self._pool.failure.not_started(self._name, reason)
        return code
