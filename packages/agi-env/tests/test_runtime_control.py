"""The control socket: commands, answers, and everything a caller may do wrong."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from agi_env.errors import (
    ConflictError,
    InternalError,
    OutOfTimeError,
    RefusedError,
    RequestInvalidError,
)
from agi_env.runtime import control


async def answering(command: dict[str, Any]) -> Mapping[str, Any]:
    match command:
        case {"op": "refuse"}:
            raise ConflictError("somebody else was first", where="here")
        case {"op": "break"}:
            raise ZeroDivisionError("a defect")
        case {"op": "hang"}:
            await asyncio.Event().wait()
    return {"heard": command}


async def sent(run_dir: Path, command: Mapping[str, Any], timeout_s: float = 10) -> dict[str, Any]:
    return await asyncio.to_thread(control.send, run_dir, command, timeout_s)


@pytest.fixture
def run_dir(tmp_path: Path) -> Path:
    # Far longer than the 107 characters that a socket's path may have.
    deep = tmp_path / ("d" * 100) / ("e" * 100)
    deep.mkdir(parents=True)
    return deep


async def test_a_command_is_answered(run_dir: Path) -> None:
    async with control.serve(run_dir, answering):
        assert await sent(run_dir, {"op": "cancel"}) == {"heard": {"op": "cancel"}}
        assert (run_dir / "control.sock").stat().st_mode & 0o777 == 0o600

    assert list(run_dir.iterdir()) == []


async def test_many_commands_at_once_get_their_own_answers(run_dir: Path) -> None:
    async with control.serve(run_dir, answering):
        commands = [{"op": "count", "number": number} for number in range(20)]
        answers = await asyncio.gather(*(sent(run_dir, command) for command in commands))

    assert [answer["heard"] for answer in answers] == commands


async def test_an_error_of_the_handler_is_raised_at_the_caller(run_dir: Path) -> None:
    async with control.serve(run_dir, answering):
        with pytest.raises(ConflictError, match="here: somebody else was first"):
            await sent(run_dir, {"op": "refuse"})


async def test_a_defect_of_the_handler_harms_only_its_own_command(run_dir: Path) -> None:
    async with control.serve(run_dir, answering):
        with pytest.raises(InternalError, match="ZeroDivisionError"):
            await sent(run_dir, {"op": "break"})
        assert await sent(run_dir, {})


async def test_silence_ends_with_the_deadline(run_dir: Path) -> None:
    async with control.serve(run_dir, answering):
        with pytest.raises(OutOfTimeError):
            await sent(run_dir, {"op": "hang"}, timeout_s=0.05)
        assert await sent(run_dir, {})


async def test_a_runner_that_lets_nobody_in_any_more_is_held_up_and_not_gone(
    run_dir: Path,
) -> None:
    with control.socket_path(run_dir) as path, ExitStack() as open_:
        full = open_.enter_context(socket.socket(socket.AF_UNIX))
        full.bind(path)
        full.listen(1)
        for _ in range(2):
            open_.enter_context(socket.socket(socket.AF_UNIX)).connect(path)

        with pytest.raises(OutOfTimeError):
            await sent(run_dir, {})


@pytest.mark.parametrize("left_over", ["nothing", "a stale socket"])
async def test_no_runner_is_said_so(run_dir: Path, left_over: str) -> None:
    if left_over == "a stale socket":
        with control.socket_path(run_dir) as path, socket.socket(socket.AF_UNIX) as stale:
            stale.bind(path)

    with pytest.raises(RefusedError, match="no runner listens"):
        await sent(run_dir, {})


async def test_a_stale_socket_is_replaced(run_dir: Path) -> None:
    with control.socket_path(run_dir) as path, socket.socket(socket.AF_UNIX) as stale:
        stale.bind(path)

    async with control.serve(run_dir, answering):
        assert await sent(run_dir, {})


async def test_noise_on_the_socket_harms_nobody(run_dir: Path) -> None:
    async with control.serve(run_dir, answering):
        with control.socket_path(run_dir) as path:
            reader, writer = await asyncio.open_unix_connection(path)
        writer.write(b"noise\n[]\n")
        assert b"REQUEST_INVALID" in await reader.readline()
        assert b"REQUEST_INVALID" in await reader.readline()
        writer.write(b"x" * 2 * control.MAX_LINE_BYTES)
        assert await reader.read() == b""
        writer.close()
        assert await sent(run_dir, {})


@pytest.mark.parametrize("line", [b"", b"{", b"[]", b"\xff"])
def test_a_line_that_is_no_command_is_refused(line: bytes) -> None:
    with pytest.raises(RequestInvalidError):
        control.parse_command(line)
