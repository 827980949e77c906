"""A child process on this machine: bounded in time and output, killed as a group."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from pathlib import Path

from agi_daemon.transport.host_transport import (
    DEFAULT_OUTPUT_BYTES,
    STDERR_BYTES,
    Completed,
    OnLine,
    Stdin,
)
from agi_env.errors import AgiError, HostCommandTimeoutError, OutputTooLargeError, RefusedError

PIECE_BYTES = 256 * 1024
"""How much is read or written at once."""

_KILL_WAIT_S = 5.0

_ALLOWED = {
    "HOME", "PATH", "LANG", "LANGUAGE", "TZ", "TMPDIR", "USER", "LOGNAME",
    "XDG_CACHE_HOME", "XDG_CONFIG_HOME", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE",
    "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY",
    "http_proxy", "https_proxy", "all_proxy", "no_proxy",
}  # fmt: skip
_ALLOWED_PREFIXES = ("LC_", "AGI_", "UV_", "PIP_", "SSL_")


def clean_environment(extra: Mapping[str, str] | None = None) -> dict[str, str]:
    """Variables of this process that a child may see, and ``extra`` over them."""
    kept = {
        name: value
        for name, value in os.environ.items()
        if name in _ALLOWED or name.startswith(_ALLOWED_PREFIXES)
    }
    return {**kept, "UV_PYTHON_DOWNLOADS": "never", **(extra or {})}


async def start_child(
    argv: Sequence[str],
    *,
    env: Mapping[str, str] | None = None,
    cwd: Path | None = None,
    line_bytes: int = 2**16,
) -> asyncio.subprocess.Process:
    """Start a command in a session of its own with three pipes.

    Raises:
        RefusedError: It cannot be started.
    """
    try:
        return await asyncio.create_subprocess_exec(
            *argv,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            env=clean_environment(env),
            cwd=cwd,
            start_new_session=True,
            limit=line_bytes,
        )
    except OSError as error:
        reason = error.strerror or str(error)
        raise RefusedError(f"{argv[0]} cannot be started: {reason}", where=argv[0]) from error


async def kill_group(process: asyncio.subprocess.Process) -> None:
    """Kill the process and all that share its group, and reap it."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    with contextlib.suppress(TimeoutError):  # in uninterruptible sleep: the kernel's to end
        await asyncio.wait_for(process.wait(), _KILL_WAIT_S)
    release_pipes(process)


def release_pipes(process: asyncio.subprocess.Process) -> None:
    """Close our ends of its pipes, which a survivor outside the group might keep open."""
    transport = getattr(process, "_transport", None)  # asyncio has no public way to do it
    if transport is not None:
        transport.close()


async def run_child(
    argv: Sequence[str],
    *,
    stdin: Stdin = b"",
    deadline_s: float,
    idle_s: float | None = None,
    env: Mapping[str, str] | None = None,
    cwd: Path | None = None,
    max_output_bytes: int = DEFAULT_OUTPUT_BYTES,
    on_line: OnLine | None = None,
    where: str = "",
) -> Completed:
    """Run a command to its end on this machine, as ``HostTransport.run`` says.

    It starts in ``cwd``, by default the daemon's directory; ``where`` is the host's name, for
    messages. Whatever it leaves behind in its process group is killed.

    Raises:
        HostCommandTimeoutError: The deadline passed, or nothing moved for ``idle_s``.
        OutputTooLargeError: It wrote more than ``max_output_bytes`` to its standard output.
        RefusedError: It cannot be started.
    """
    process = await start_child(argv, env=env, cwd=cwd)
    talk = _Conversation(process, stdin, max_output_bytes, on_line)
    try:
        return await _bounded(talk, deadline_s, idle_s)
    except TimeoutError:
        stuck = idle_s is not None and talk.quiet_for() >= idle_s
        fault = "made no progress" if stuck else f"did not end in {deadline_s:g} s"
        raise killed_error(argv, fault, where) from None
    finally:
        await kill_group(process)


class _Conversation:
    """The bytes that go into a process and come out of it."""

    def __init__(
        self,
        process: asyncio.subprocess.Process,
        stdin: Stdin,
        max_output_bytes: int,
        on_line: OnLine | None,
    ) -> None:
        self._process = process
        self._input = stdin
        self._limit = max_output_bytes
        self._on_line = on_line
        self._moved = asyncio.get_running_loop().time()
        self.on_move: Callable[[], None] = lambda: None

    def quiet_for(self) -> float:
        """Seconds since a byte went in or came out."""
        return asyncio.get_running_loop().time() - self._moved

    async def to_the_end(self) -> Completed:
        assert self._process.stdout and self._process.stderr
        async with asyncio.TaskGroup() as group:
            group.create_task(self._feed())
            out = group.create_task(self._collect(self._process.stdout, self._on_line))
            err = group.create_task(self._keep_tail(self._process.stderr))
        return Completed(await self._process.wait(), out.result(), err.result())

    def _progressed(self) -> None:
        self._moved = asyncio.get_running_loop().time()
        self.on_move()

    async def _feed(self) -> None:
        pipe = self._process.stdin
        assert pipe
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):  # it ended: see its code
            async for piece in pieces(self._input):
                pipe.write(piece)
                await pipe.drain()
                self._progressed()
            pipe.close()
            await pipe.wait_closed()

    async def _collect(self, stream: asyncio.StreamReader, on_line: OnLine | None) -> bytes:
        collected, partial = bytearray(), b""
        while piece := await stream.read(PIECE_BYTES):
            self._progressed()
            collected += piece
            if len(collected) > self._limit:
                raise OutputTooLargeError(f"a command wrote more than {self._limit} bytes")
            if on_line:
                *lines, partial = (partial + piece).split(b"\n")
                for line in lines:
                    on_line(line)
        return bytes(collected)

    async def _keep_tail(self, stream: asyncio.StreamReader) -> bytes:
        kept = bytearray()
        while piece := await stream.read(PIECE_BYTES):
            self._progressed()
            kept += piece
            del kept[:-STDERR_BYTES]
        return bytes(kept)


async def _bounded(talk: _Conversation, deadline_s: float, idle_s: float | None) -> Completed:
    loop = asyncio.get_running_loop()
    try:
        async with asyncio.timeout(deadline_s), asyncio.timeout(idle_s) as quiet:
            if idle_s is not None:
                talk.on_move = lambda: quiet.reschedule(loop.time() + idle_s)
            return await talk.to_the_end()
    except* (AgiError, OSError) as group:
        first: BaseException = group
        while isinstance(first, BaseExceptionGroup):
            first = first.exceptions[0]
        failure = first
    raise failure


async def pieces(stdin: Stdin) -> AsyncIterator[bytes]:
    """What a command reads, in pieces that may be written one at a time."""
    if isinstance(stdin, bytes):
        for start in range(0, len(stdin), PIECE_BYTES):
            yield stdin[start : start + PIECE_BYTES]
        return
    async for piece in stdin:
        yield piece


def unanswered_error(argv: Sequence[str], fault: str, where: str) -> HostCommandTimeoutError:
    """The error for a command that could not be killed: its host answers nothing."""
    name = Path(argv[0]).name
    return HostCommandTimeoutError(
        f"{name} {fault}, and the host does not answer: it may still run there",
        where=where,
        remedy=f"See that the host is on and reachable: `agi hosts check {where}`",
        metadata={"command": name, "host": where},
    )


def killed_error(argv: Sequence[str], fault: str, where: str) -> HostCommandTimeoutError:
    """The error for a command that was killed for this fault on a host."""
    name = Path(argv[0]).name
    return HostCommandTimeoutError(
        f"{name} {fault} and was killed", where=where, metadata={"command": name, "host": where}
    )
