"""Commands to a living runner: JSON lines over the unix socket in its run directory.

A command is one JSON object, its answer another. An answer with ``error`` carries a code of the
catalogue and its metadata. The directory is the permission: it belongs to one user, 0700.
"""

from __future__ import annotations

import json
import os
import socket
from collections.abc import Awaitable, Callable, Iterator, Mapping
from contextlib import AbstractAsyncContextManager, contextmanager
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

from agi_env.errors import (
    AgiError,
    InternalError,
    OutOfTimeError,
    RefusedError,
    RequestInvalidError,
    error_from,
)

if TYPE_CHECKING:
    from agi_env.runtime.control_server import ControlServer

CONTROL_SOCKET = "control.sock"
MAX_LINE_BYTES = 64 * 1024
"""The longest command or answer."""

Handler: TypeAlias = Callable[[dict[str, Any]], Awaitable[Mapping[str, Any]]]


def serve(run_dir: Path, handler: Handler) -> AbstractAsyncContextManager[ControlServer]:
    """Answer commands while the context is open; only for whoever holds the run's lock.

    Args:
        run_dir: The run's directory; a socket that is there already is stale and removed.
        handler: Gets the command and returns the answer. An ``AgiError`` that it raises is the
            answer; anything else is a defect and ends that connection with an ``InternalError``.
    """
    # The sending side runs on every attach, and asyncio alone would double its start.
    server: type[ControlServer] = import_module("agi_env.runtime.control_server").ControlServer
    return server(run_dir, handler)


def send(run_dir: Path, command: Mapping[str, Any], timeout_s: float) -> dict[str, Any]:
    """Send one command and wait for its answer.

    Args:
        run_dir: The run's directory.
        command: A JSON object such as ``{"op": "cancel", "grace_s": 10}``.
        timeout_s: Seconds for each of connecting, sending, and the answer.

    Raises:
        RefusedError: Nobody listens: the runner has ended, or is only starting.
        OutOfTimeError: The runner did not answer in time; the command may have been taken.
        AgiError: What the runner answered.
    """
    try:
        answer = _exchange(run_dir, json.dumps(command).encode() + b"\n", timeout_s)
    except (TimeoutError, BlockingIOError) as error:  # the latter: too many wait to be let in
        raise OutOfTimeError("the runner did not answer", where=str(run_dir)) from error
    except OSError as error:
        raise RefusedError(
            f"no runner listens: {error.strerror or error}",
            where=str(run_dir),
            remedy="See with `agi runs show RUN` whether it has ended",
        ) from error
    return _understood(answer, run_dir)


def parse_command(line: bytes) -> dict[str, Any]:
    """The command on one line.

    Raises:
        RequestInvalidError: It is no JSON object.
    """
    try:
        command = json.loads(line)
    except ValueError as error:
        raise RequestInvalidError(f"a control command is no JSON: {error}") from error
    if not isinstance(command, dict):
        raise RequestInvalidError("a control command is no object")
    return command


@contextmanager
def socket_path(run_dir: Path) -> Iterator[str]:
    """A short path of the control socket, for a while.

    A socket's path may have 107 characters and a run directory more, so it goes through an open
    directory.
    """
    fd = os.open(run_dir, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        yield f"/proc/self/fd/{fd}/{CONTROL_SOCKET}"
    finally:
        os.close(fd)


def remove_socket(run_dir: Path) -> None:
    """Remove a stale socket; only for whoever holds the run's lock."""
    (run_dir / CONTROL_SOCKET).unlink(missing_ok=True)


def error_answer(error: AgiError) -> dict[str, Any]:
    """The answer that makes ``send`` raise this error."""
    return {"error": {"code": error.code, "metadata": error.to_metadata()}}


def _exchange(run_dir: Path, line: bytes, timeout_s: float) -> bytes:
    with (
        socket_path(run_dir) as path,
        socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection,
    ):
        connection.settimeout(timeout_s)
        connection.connect(path)
        connection.sendall(line)
        with connection.makefile("rb") as answers:
            return answers.readline(MAX_LINE_BYTES)


def _understood(line: bytes, run_dir: Path) -> dict[str, Any]:
    try:
        answer = json.loads(line)
    except ValueError as error:
        raise InternalError("the runner hung up without an answer", where=str(run_dir)) from error
    match answer:
        case {"error": {"code": str(code), "metadata": dict(metadata)}}:
            raise error_from(code, metadata)
        case dict():
            return answer
    raise InternalError("the runner's answer is no object", where=str(run_dir))
