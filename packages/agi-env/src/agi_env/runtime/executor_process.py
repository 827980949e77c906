"""An executor as its parent sees it: a process, a link, a log and, in the end, a cause."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import subprocess
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from agi_env.runtime import process_tree
from agi_env.runtime.bounded_log import BoundedLog
from agi_env.runtime.causes import EndCause, EndKind
from agi_env.runtime.frame_socket import FrameSocket
from agi_env.runtime.frames import Message
from agi_env.runtime.interpreter import MARK, Interpreter
from agi_env.runtime.log_pipe import LogPipe
from agi_env.runtime.oom_events import oom_kills

EXECUTOR_MODULE = "agi_env.runtime.executor"
KILL_TIMEOUT_S = 10.0
"""How long a killed process may take to go, before it is left to the kernel."""
LINGER_S = 2.0
"""How long a process may take to leave after it said that it has stopped."""


class ExecutorProcess:
    """One executor, from its start until nothing of it lives.

    Attributes:
        pid: Its process, and the group and session that it leads.
    """

    def __init__(
        self,
        interpreter: Interpreter,
        *,
        mark: str,
        threads: int,
        directory: Path,
        log: BoundedLog,
        on_message: Callable[[Message], None],
        device: str = "",
    ) -> None:
        """Start the process; in the event loop, from its thread, which the process dies with.

        Args:
            interpreter: What to run it with.
            mark: What its descendants are known by; unique on this machine.
            threads: How many threads its libraries may use.
            directory: Its current directory.
            log: Where its output goes.
            on_message: Gets each message that it sends.
            device: The GPU that it sees; empty: whatever this process sees.

        Raises:
            OSError: The process could not be made.
        """
        self._mark = mark
        self._on_message = on_message
        self._stopped = False
        self._oom_kills = oom_kills()
        self._loop = asyncio.get_running_loop()
        self._exited = asyncio.Event()
        self._pipe = LogPipe(log)
        ours, theirs = socket.socketpair()
        try:
            env = interpreter.environment(threads, mark, device)
            self._process = self._spawn(interpreter, env, directory, theirs)
        except OSError:
            ours.close()
            self._pipe.close()
            raise
        finally:
            theirs.close()
            self._pipe.close_writer()
        self.pid = self._process.pid
        self._link = FrameSocket(ours, self._take, self.kill)
        self._handle = os.pidfd_open(self.pid)
        self._loop.add_reader(self._handle, self._noticed)

    def send(self, message: Message) -> None:
        """Send it a message; when it is gone, nothing happens."""
        self._link.send(message)

    def kill(self) -> None:
        """End its process group now; ``wait`` gets the rest."""
        if self._process.returncode is not None:
            return  # it was waited for: the number may be somebody else's by now
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(self.pid, signal.SIGKILL)
        if not self._exited.is_set():
            self._loop.call_later(KILL_TIMEOUT_S, self._exited.set)

    def log_tail(self) -> str:
        """What it printed last."""
        return self._pipe.tail()

    async def wait(self) -> EndCause:
        """Wait until it ends, kill what it leaves behind, and say why it ended.

        There is no deadline of its own: whoever hands out work decides how long that may take.
        """
        try:
            await self._exited.wait()
            self._link.drain()
            return await self._ended()
        finally:
            self.kill()
            self._release()

    async def _ended(self) -> EndCause:
        self.kill()  # its group; the process itself has ended, but was not waited for
        await asyncio.to_thread(process_tree.kill_marked, MARK, self._mark, KILL_TIMEOUT_S)
        return self._cause()

    def _spawn(
        self, interpreter: Interpreter, env: dict[str, str], directory: Path, link: socket.socket
    ) -> subprocess.Popen[bytes]:
        descriptor = link.fileno()
        return subprocess.Popen(
            interpreter.command(EXECUTOR_MODULE, str(descriptor), str(os.getpid())),
            stdin=subprocess.DEVNULL,
            stdout=self._pipe.writer,
            stderr=self._pipe.writer,
            pass_fds=(descriptor,),
            env=env,
            cwd=directory,
            start_new_session=True,
        )

    def _take(self, message: Message) -> None:
        if message["op"] == "stopped":
            self._stopped = True
            # What it does now, on its way out, is nobody's business any more.
            self._loop.call_later(LINGER_S, self.kill)
        self._on_message(message)

    def _noticed(self) -> None:
        self._loop.remove_reader(self._handle)
        self._exited.set()

    def _release(self) -> None:
        self._loop.remove_reader(self._handle)
        os.close(self._handle)
        self._link.close()
        self._pipe.close()

    def _cause(self) -> EndCause:
        code = self._process.poll()
        tail = self._pipe.tail()
        if code is None:
            return EndCause(EndKind.KILLED, detail="does not die", log_tail=tail)
        number = -code if code < 0 else None
        exit_code = code if code >= 0 else None
        return EndCause(self._kind(code), exit_code, number, self._link.broken, tail)

    def _kind(self, code: int) -> EndKind:
        if self._stopped:
            return EndKind.STOPPED
        if code >= 0:
            return EndKind.EXIT
        if code == -signal.SIGKILL and oom_kills() > self._oom_kills:
            return EndKind.OOM
        return EndKind.SIGNAL
