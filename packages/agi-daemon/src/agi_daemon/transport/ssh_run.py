"""A command on another machine, run to its end."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence

from attrs import frozen

from agi_daemon.transport.child_process import killed_error, unanswered_error
from agi_daemon.transport.host_transport import DEFAULT_OUTPUT_BYTES, Completed, OnLine, Stdin
from agi_daemon.transport.ssh_command import SshCommand, not_started
from agi_daemon.transport.ssh_pool import SshPool
from agi_daemon.transport.ssh_process import SshProcess
from agi_env.errors import OutputTooLargeError


@frozen(kw_only=True)
class SshRun:
    """What is to be run, and what it is held to; see ``HostTransport.run``."""

    host: str
    argv: Sequence[str]
    stdin: Stdin
    deadline_s: float
    idle_s: float | None = None
    env: Mapping[str, str] | None = None
    max_output_bytes: int = DEFAULT_OUTPUT_BYTES
    on_line: OnLine | None = None

    async def over(self, pool: SshPool) -> Completed:
        """Run it over one of these connections; nothing of it is left when this returns.

        Raises:
            AgiError: As ``HostTransport.run`` says, and ``HostError`` for what happens on the way.
        """
        command = SshCommand.of(self.argv, self.env)
        quiet, process = asyncio.timeout(None), None
        try:
            async with asyncio.timeout(self.deadline_s), quiet:
                process = await pool.start(command)
                self._watch(process, quiet)
                output = await self._talk(process)
            return self._completed(process, command, output, pool)
        except TimeoutError:
            late = f"did not end in {self.deadline_s:g} s"
            fault = "made no progress" if quiet.expired() else late
            ended, process = process is None or await pool.end(process), None
            raise (killed_error if ended else unanswered_error)(
                self.argv, fault, self.host
            ) from None
        finally:
            if process is not None:
                await pool.end(process)

    def _watch(self, process: SshProcess, quiet: asyncio.Timeout) -> None:
        idle_s, clock = self.idle_s, asyncio.get_running_loop().time
        if idle_s is None:
            return

        def moved() -> None:
            if not quiet.expired():
                quiet.reschedule(clock() + idle_s)

        process.on_move = moved
        moved()

    async def _talk(self, process: SshProcess) -> bytes:
        try:
            async with asyncio.TaskGroup() as group:
                feeder = group.create_task(process.feed(self.stdin), name="standard input")
                output = await self._collected(process)
                await process.closed()
                feeder.cancel()
        except BaseExceptionGroup as failures:
            first: BaseException = failures
            while isinstance(first, BaseExceptionGroup):
                first = first.exceptions[0]
            raise first from None
        finally:
            process.on_move = lambda: None
        return output

    async def _collected(self, process: SshProcess) -> bytes:
        collected, partial, limit = bytearray(), b"", self.max_output_bytes
        while piece := await process.read():
            collected += piece
            if len(collected) > limit:
                raise OutputTooLargeError(f"a command wrote more than {limit} bytes")
            if self.on_line:
                *lines, partial = (partial + piece).split(b"\n")
                for line in lines:
                    self.on_line(line)
        return bytes(collected)

    def _completed(
        self, process: SshProcess, command: SshCommand, output: bytes, pool: SshPool
    ) -> Completed:
        if process.code is None or process.lost:
            raise pool.failure.lost(process.lost)
        errors = process.stderr_tail()
        reason = not_started(command, process.code, errors)
        if reason:
            raise pool.failure.not_started(self.argv[0], reason)
        return Completed(process.code, output, errors)
