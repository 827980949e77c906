"""One command on another machine, from its start until its end is known."""

from __future__ import annotations

import asyncio
import signal
from collections import deque
from collections.abc import Callable
from contextlib import suppress

import asyncssh

from agi_daemon.transport.child_process import pieces
from agi_daemon.transport.host_transport import STDERR_BYTES, Stdin
from agi_daemon.transport.ssh_command import Opening

_READ_AHEAD_BYTES = 8 * 1024 * 1024
"""How much output may wait for its reader before the far side has to wait as well."""

_WRITE_AHEAD_BYTES = 1024 * 1024


class SshProcess(asyncssh.SSHClientSession[bytes]):
    """What asyncssh tells about one command, kept for whoever reads, writes and waits.

    Attributes:
        opening: Where its output begins, and its process group.
        code: Its exit code, negative for a signal, once it is known.
        lost: Why the connection broke, where it did.
        is_closed: Nothing comes any more.
        on_move: Called when a byte went in or came out.
        on_closed: Called when nothing comes any more.
    """

    def __init__(self, mark: str) -> None:
        self.opening = Opening(mark)
        self.code: int | None = None
        self.lost: Exception | None = None
        self.is_closed = False
        self.on_move: Callable[[], None] = lambda: None
        self.on_closed: Callable[[], None] = lambda: None
        self._chan: asyncssh.SSHClientChannel[bytes] | None = None
        self._output: deque[bytes] = deque()
        self._output_bytes = 0
        self._output_ended = False
        self._unwanted = False
        self._errors = bytearray()
        self._writable = True
        self._news = asyncio.Event()

    async def started(self) -> bool:
        """Wait until it runs; False when it ended before."""
        await self._until(lambda: bool(self.opening.pid) or self.is_closed)
        return bool(self.opening.pid)

    async def read(self) -> bytes:
        """All that it wrote since; nothing when it closed its standard output."""
        await self._until(lambda: bool(self._output) or self._output_ended)
        output = b"".join(self._output)
        self._output.clear()
        self._output_bytes = 0
        if self._chan:
            self._chan.resume_reading()
        return output

    async def write(self, data: bytes) -> None:
        """Write to its standard input.

        Raises:
            BrokenPipeError: It takes nothing any more.
        """
        if self.is_closed or self._chan is None:
            raise BrokenPipeError
        self._chan.write(data)
        await self._until(lambda: self._writable or self.is_closed)

    def write_eof(self) -> None:
        """Close its standard input."""
        if self._chan:
            self._chan.write_eof()

    async def feed(self, stdin: Stdin) -> None:
        """Write it all and close; a command that takes no more ends it."""
        with suppress(BrokenPipeError):
            async for piece in pieces(stdin):
                await self.write(piece)
                self.on_move()
        self.write_eof()

    async def exited(self) -> None:
        """Wait until its exit code is known, or never will be."""
        await self._until(lambda: self.code is not None or self.is_closed)

    async def closed(self) -> None:
        """Wait until nothing comes any more."""
        await self._until(lambda: self.is_closed)

    async def exited_within(self, seconds: float) -> None:
        """As ``exited``, for so long."""
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self.exited()

    async def closed_within(self, seconds: float) -> None:
        """As ``closed``, for so long."""
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self.closed()

    def stderr_tail(self) -> bytes:
        """The last of what it wrote to standard error."""
        return bytes(self._errors)

    def signal_kill(self) -> None:
        """Have the server kill its process group, and drop what it still says."""
        self.forget_output()
        if self._chan and not self.is_closed:
            self._chan.kill()

    def forget_output(self) -> None:
        """What it has written and writes is not wanted any more."""
        self._unwanted = True
        self._output.clear()
        if self._chan:
            self._chan.resume_reading()

    def abandon(self) -> None:
        """Let go of it whatever it does."""
        self.forget_output()
        if self._chan and not self.is_closed:
            self._chan.abort()

    async def _until(self, holds: Callable[[], bool]) -> None:
        while not holds():
            self._news.clear()
            await self._news.wait()

    # What asyncssh calls; none of it may raise, as that would end the whole connection.

    def connection_made(self, chan: asyncssh.SSHClientChannel[bytes]) -> None:
        """The channel is open; the command is asked for next."""
        self._chan = chan
        chan.set_write_buffer_limits(high=_WRITE_AHEAD_BYTES)

    def data_received(self, data: bytes, datatype: int | None) -> None:
        """It wrote something."""
        self.on_move()
        if datatype == asyncssh.EXTENDED_DATA_STDERR:
            self._errors += data
            del self._errors[:-STDERR_BYTES]
            return
        self._take(data if self.opening.pid else self.opening.feed(data))
        self._news.set()

    def _take(self, output: bytes) -> None:
        if not output or self._unwanted:
            return
        self._output.append(output)
        self._output_bytes += len(output)
        if self._output_bytes > _READ_AHEAD_BYTES and self._chan:
            self._chan.pause_reading()

    def eof_received(self) -> bool:
        """It closed its standard output; it may read on."""
        self._output_ended = True
        self._news.set()
        return True

    def exit_status_received(self, status: int) -> None:
        """It ended of itself."""
        self.code = status
        self._news.set()

    def exit_signal_received(
        self, signal_name: str, core_dumped: bool, msg: str, lang: str
    ) -> None:
        """A signal ended it."""
        self.code = -int(getattr(signal, f"SIG{signal_name}", 1))
        self._news.set()

    def pause_writing(self) -> None:
        """The far side takes no more at the moment."""
        self._writable = False

    def resume_writing(self) -> None:
        """The far side takes more."""
        self._writable = True
        self._news.set()

    def connection_lost(self, exc: Exception | None) -> None:
        """The channel is gone, with the connection or alone."""
        self.lost = exc
        self.is_closed = self._output_ended = True
        self._news.set()
        self.on_closed()
