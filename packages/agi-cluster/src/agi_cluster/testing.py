"""Real daemons for tests: private, short-lived, and gone without a trace."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path

from agi_cluster.client.address import Address
from agi_cluster.client.autostart import START_TIMEOUT, daemon_command, is_serving
from agi_cluster.client.client import AsyncClient
from agi_cluster.client.sync import Client
from agi_env.errors import DaemonStartError

STOP_TIMEOUT = 20.0
"""Seconds that a daemon has to end, and that what it started has after it."""

_POLL = 0.02


class RunningDaemon:
    """A daemon of its own state directory, its shares beside it."""

    def __init__(self, root: Path, state: Path, env: Mapping[str, str] | None = None) -> None:
        self.root = root
        self.state = state
        self.env = {
            **os.environ,
            "AGI_STATE_DIR": str(self.state),
            "AGI_LOCAL_SHARE": str(root / "share"),
            **(env or {}),
        }
        """The environment in which subprocesses use this daemon."""
        self.env.pop("AGI_ADDRESS", None)
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def address(self) -> Address:
        """Where it serves; clients of this address start no daemon themselves."""
        return Address(socket=Address.of_state(self.state).socket)

    @property
    def pid(self) -> int:
        """The process id of the living daemon."""
        if self._process is None:
            raise RuntimeError("the daemon does not run")
        return self._process.pid

    def client(self) -> Client:
        """A synchronous client; close it, or use it as a context manager."""
        return Client(self.address)

    def async_client(self) -> AsyncClient:
        """An asynchronous client; close it, or use it as a context manager."""
        return AsyncClient(self.address)

    def start(self, timeout: float = START_TIMEOUT) -> None:
        """Start it and return when it serves.

        Raises:
            DaemonStartError: It ended or did not serve in time; the message has its last words.
        """
        self.state.mkdir(mode=0o700, parents=True, exist_ok=True)
        words = self.root / "daemon.stderr"
        with words.open("wb") as stderr:
            self._process = subprocess.Popen(
                daemon_command(self.state),
                stdin=subprocess.DEVNULL,
                stdout=stderr,
                stderr=stderr,
                env=self.env,
                start_new_session=True,
            )
        deadline = time.monotonic() + timeout
        while not is_serving(self.address):
            if self._process.poll() is not None or time.monotonic() > deadline:
                self.kill()
                raise DaemonStartError(words.read_text(errors="replace")[-2000:] or "no word")
            time.sleep(_POLL)

    def stop(self, timeout: float = STOP_TIMEOUT) -> int:
        """End it cleanly and return its exit code.

        Raises:
            TimeoutError: It did not end; it is killed then.
        """
        process, self._process = self._process, None
        if process is None:
            return 0
        process.terminate()
        try:
            return process.wait(timeout)
        except subprocess.TimeoutExpired as error:
            process.kill()
            process.wait(timeout)
            raise TimeoutError(f"the daemon did not end within {timeout:g} s") from error

    def kill(self) -> None:
        """Kill it with SIGKILL; its socket file stays behind, as after a crash."""
        process, self._process = self._process, None
        if process is not None:
            process.kill()
            process.wait(STOP_TIMEOUT)

    def restart(self) -> None:
        """End it cleanly, if it lives, and start it again on the same state."""
        self.stop()
        self.start()

    def processes(self) -> dict[int, str]:
        """What it started and lives: process ids with their command lines."""
        return {
            int(entry.name): _command_line(entry)
            for entry in Path("/proc").iterdir()
            if entry.name.isdigit() and int(entry.name) != os.getpid() and self._ours(entry)
        }

    def _ours(self, process: Path) -> bool:
        mark = f"AGI_STATE_DIR={self.state}".encode()
        told = mark in _read(process / "environ").split(b"\0")
        return told or str(self.state) in _command_line(process)


@contextmanager
def running_daemon(
    state_dir: Path | None = None,
    *,
    timeout: float = STOP_TIMEOUT,
    env: Mapping[str, str] | None = None,
) -> Iterator[RunningDaemon]:
    """A real daemon in a directory of its own, stopped at the end.

    Args:
        state_dir: Its state directory, which is kept; by default a temporary one, with a path
            short enough for a socket.
        timeout: Seconds that it, and what it started, have to end.
        env: Variables to set for it, over this process's own.

    Raises:
        DaemonStartError: It did not start.
        AssertionError: Processes were left when the block had ended without an error; they are
            killed in any case.
    """
    root = state_dir.parent if state_dir else Path(tempfile.mkdtemp(prefix="agi-"))
    daemon = RunningDaemon(root, state_dir or root / "state", env)
    try:
        daemon.start()
        yield daemon
        daemon.stop(timeout)
        _await_end(daemon, timeout)
    finally:
        daemon.kill()
        _kill(daemon)
        if state_dir is None:
            shutil.rmtree(root, ignore_errors=True)


def _await_end(daemon: RunningDaemon, timeout: float) -> None:
    deadline = time.monotonic() + timeout
    while left := daemon.processes():
        if time.monotonic() > deadline:
            raise AssertionError(f"left behind after {timeout:g} s: {left}")
        time.sleep(_POLL)


def _kill(daemon: RunningDaemon) -> None:
    for pid in daemon.processes():
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)


def _command_line(process: Path) -> str:
    return _read(process / "cmdline").replace(b"\0", b" ").decode(errors="replace").strip()


def _read(path: Path) -> bytes:
    # Processes come and go, and those of others cannot be read: neither is one of ours.
    with suppress(OSError):
        return path.read_bytes()
    return b""
