"""A running ``ssh`` that does not outlive this process, however that ends."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Sequence
from concurrent.futures import Future
from contextlib import suppress
from typing import IO

_KILL_TIMEOUT = 5.0
_POLL = 0.02
_LONGEST = 16 * 1024

_DIE_WITH_PARENT = """\
import ctypes, os, sys
if sys.platform == "linux":
    ctypes.CDLL(None).prctl(1, 15)
if os.getppid() != int(sys.argv[1]):
    sys.exit(1)
os.execvp(sys.argv[2], sys.argv[2:])
"""
"""Has the kernel send SIGTERM when the thread ends that started it, then becomes ``ssh``.

Not ``preexec_fn``, which may deadlock in a process with threads.
"""


class SshProcess:
    """One ``ssh``, in a process group of its own, without a terminal or input.

    Args:
        command: Its command line.

    Raises:
        OSError: It cannot be started.
    """

    def __init__(self, command: Sequence[str]) -> None:
        self._output: IO[bytes] = tempfile.TemporaryFile()  # noqa: SIM115 - `end` closes both
        self._words: IO[bytes] = tempfile.TemporaryFile()  # noqa: SIM115
        self._ended = threading.Event()
        started: Future[subprocess.Popen[bytes]] = Future()
        # The kernel's promise is to the thread: this one lives as long as the child does.
        threading.Thread(
            target=self._keep, args=(list(command), started), name="agi-ssh", daemon=True
        ).start()
        self._process = started.result()

    @property
    def alive(self) -> bool:
        """Whether it runs."""
        return not self._ended.is_set()

    def wait(self, seconds: float) -> bool:
        """Whether it ended within so many seconds."""
        return self._ended.wait(seconds)

    def output(self) -> str:
        """The end of what it wrote to stdout."""
        return _end_of(self._output)

    def words_within(self, seconds: float) -> str:
        """The last line it wrote to stderr, as soon as there is one; empty if none comes."""
        deadline = time.monotonic() + seconds
        while not (said := self.last_words()) and time.monotonic() < deadline:
            if self.wait(_POLL):
                return self.last_words()
        return said

    def last_words(self) -> str:
        """The last line it wrote to stderr."""
        lines = _end_of(self._words).splitlines()
        return next((line.strip() for line in reversed(lines) if line.strip()), "")

    def end(self) -> None:
        """Kill it and what it started."""
        for number in (signal.SIGTERM, signal.SIGKILL):
            if not self._ended.is_set():
                with suppress(ProcessLookupError):
                    os.killpg(self._process.pid, number)
                self._ended.wait(_KILL_TIMEOUT)
        self._output.close()
        self._words.close()

    def _keep(self, command: list[str], started: Future[subprocess.Popen[bytes]]) -> None:
        try:
            process = self._start(command)
        except OSError as error:
            started.set_exception(error)
            return
        started.set_result(process)
        process.wait()
        self._ended.set()

    def _start(self, command: list[str]) -> subprocess.Popen[bytes]:
        mine = str(os.getpid())
        return subprocess.Popen(
            [sys.executable, "-I", "-S", "-c", _DIE_WITH_PARENT, mine, *command],
            stdin=subprocess.DEVNULL,
            stdout=self._output,
            stderr=self._words,
            start_new_session=True,
        )


def _end_of(file: IO[bytes]) -> str:
    # The child writes through the same open file: reading here must not move its position.
    start = max(os.fstat(file.fileno()).st_size - _LONGEST, 0)
    return os.pread(file.fileno(), _LONGEST, start).decode(errors="replace")
