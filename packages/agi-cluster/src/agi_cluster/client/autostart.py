"""Starting the daemon of this user's state directory where nobody serves."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO

import grpc
from filelock import FileLock, Timeout

from agi_cluster.api.v1.daemon_pb2 import GetDaemonRequest
from agi_cluster.api.v1.daemon_pb2_grpc import DaemonServiceStub
from agi_cluster.client.address import Address
from agi_env.atomic_file import disk_errors
from agi_env.errors import AgiError, DaemonAlreadyRunningError, DaemonStartError, error_from
from agi_env.module_command import module_command
from agi_env.paths import private_directory

START_TIMEOUT = 30.0
"""Seconds within which a daemon must answer."""

_POLL = 0.02
_LAST_WORDS = 64 * 1024


def daemon_command(state: Path) -> list[str]:
    """The command line of the daemon of a state directory."""
    return module_command(sys.executable, "agi_daemon", "serve", "--state-dir", str(state))


def ensure_daemon(
    state: Path, *, command: Sequence[str] = (), timeout: float = START_TIMEOUT
) -> None:
    """Return when a daemon serves the state directory, after starting one if need be.

    Clients that come at the same time start one daemon together.

    Args:
        state: The state directory.
        command: The daemon's command line; by default `daemon_command`.
        timeout: Seconds within which it must answer.

    Raises:
        AgiError: It ended before it served: the reason that it gave.
        DaemonStartError: It ended without a reason, or did not answer in time.
        StateUnwritableError: The state directory cannot be made or written.
        SocketPathTooLongError: The socket's path is longer than the system takes.
    """
    address = Address.of_state(state)
    if is_serving(address):
        return
    private_directory(state)
    deadline = time.monotonic() + timeout
    with _start_lock(state, timeout):
        if not is_serving(address):
            _start(address, list(command) or daemon_command(state), deadline)


def is_serving(address: Address) -> bool:
    """Whether somebody listens at the address; the file of a killed daemon does not count.

    Raises:
        DaemonStartError: The socket is there and this user may not use it.
    """
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        probe.settimeout(1.0)
        try:
            probe.connect(os.fspath(address.socket))
        except (FileNotFoundError, ConnectionRefusedError, NotADirectoryError):
            return False
        except PermissionError as error:
            raise DaemonStartError(
                "the socket belongs to another user",
                where=str(address),
                remedy="Set AGI_STATE_DIR to a directory of your own",
            ) from error
        except (TimeoutError, BlockingIOError):
            return True
    return True


@contextmanager
def _start_lock(state: Path, timeout: float) -> Iterator[None]:
    lock = FileLock(state / "start.lock")
    with disk_errors(state):
        try:
            lock.acquire(timeout=timeout)
        except Timeout as error:
            raise DaemonStartError(
                f"another client has been starting the daemon for {timeout:g} s", where=str(state)
            ) from error
    try:
        yield
    finally:
        lock.release()


def _start(address: Address, command: list[str], deadline: float) -> None:
    # Not in the state directory: its disk may be what is full.
    with tempfile.TemporaryFile() as words:
        process = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=words,
            cwd="/",
            start_new_session=True,
        )
        try:
            _await_answer(address, process, words, deadline)
        except BaseException:
            _kill(process)
            raise
    # A daemon that ends while this process lives on leaves no zombie behind.
    threading.Thread(target=process.wait, name="agi-daemon-reaper", daemon=True).start()


def _await_answer(
    address: Address, process: subprocess.Popen[bytes], words: IO[bytes], deadline: float
) -> None:
    while not is_serving(address):
        if process.poll() is not None and not _other_starts(words):
            raise _start_error(words, f"the daemon ended with code {process.returncode}")
        if time.monotonic() > deadline:
            raise _start_error(words, "the daemon did not serve in time")
        time.sleep(_POLL)
    _call(address, deadline)


def _call(address: Address, deadline: float) -> None:
    left = max(deadline - time.monotonic(), 0.1)
    with grpc.insecure_channel(address.target) as channel:
        try:
            DaemonServiceStub(channel).GetDaemon(
                GetDaemonRequest(), timeout=left, wait_for_ready=True
            )
        except grpc.RpcError as error:
            raise DaemonStartError("the daemon listens and does not answer") from error


def _other_starts(words: IO[bytes]) -> bool:
    """Whether the daemon gave way to another one, which will serve in a moment."""
    return isinstance(_reason(words), DaemonAlreadyRunningError)


def _start_error(words: IO[bytes], what: str) -> AgiError:
    """The daemon's own reason; where it gave none, what is known."""
    last = _last_line(words)
    return _reason(words) or DaemonStartError(f"{what}: {last}" if last else what)


def _reason(words: IO[bytes]) -> AgiError | None:
    """The error that the daemon wrote as its last line, ``{"code": ..., "metadata": {...}}``."""
    try:
        record = json.loads(_last_line(words))
        return error_from(record["code"], record["metadata"])
    except (ValueError, TypeError, KeyError):
        return None


def _last_line(words: IO[bytes]) -> str:
    # The daemon writes through the same open file: reading here must not move its position.
    start = max(os.fstat(words.fileno()).st_size - _LAST_WORDS, 0)
    text = os.pread(words.fileno(), _LAST_WORDS, start).decode(errors="replace")
    return next((line.strip() for line in reversed(text.split("\n")) if line.strip()), "")


def _kill(process: subprocess.Popen[bytes]) -> None:
    if process.poll() is None:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait(timeout=10)
