"""Commands of a host that are talked to, over SSH."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Callable
from typing import Any

import pytest

from agi_daemon.transport.host_transport import HostTransport
from agi_env.errors import OutputTooLargeError, RefusedError

SLEEPER = "import os, time; print(os.getpid(), flush=True); time.sleep(600)"


def python(code: str) -> list[str]:
    return [sys.executable, "-S", "-c", code]


async def test_a_channel_is_talked_to(host: HostTransport) -> None:
    code = "import sys\nfor line in sys.stdin: print(line.strip()[::-1], flush=True)"
    async with await host.open_channel(python(code)) as channel:
        for _ in range(3):
            await channel.send(b"abc\n")
            assert await anext(channel.lines()) == b"cba"
        await channel.close()
        assert await channel.wait() == 0


async def test_closing_a_channel_ends_one_that_does_not_listen(
    host: HostTransport, assert_gone: Callable[[int], None]
) -> None:
    async with await host.open_channel(python(SLEEPER)) as channel:
        child = int(await anext(channel.lines()))
    assert await channel.wait() == -9
    assert_gone(child)


async def test_a_channel_keeps_the_tail_of_the_errors(host: HostTransport) -> None:
    code = "import sys; sys.stderr.write('x' * 1000000 + 'the end'); sys.exit(4)"
    async with await host.open_channel(python(code)) as channel:
        assert [line async for line in channel.lines()] == []
        assert await channel.wait() == 4
    assert channel.stderr_tail().endswith(b"the end")


async def test_lines_may_be_long_and_the_last_may_lack_its_end(host: HostTransport) -> None:
    code = "print('x' * (8 * 2**20 - 1)); print(); print('a', end='')"
    async with await host.open_channel(python(code)) as channel:
        lines = [len(line) async for line in channel.lines()]
    assert lines == [8 * 2**20 - 1, 0, 1]


async def test_a_line_without_end_is_refused(host: HostTransport) -> None:
    async with await host.open_channel(["cat", "/dev/zero"]) as channel:
        with pytest.raises(OutputTooLargeError, match="longer than 8388608 bytes"):
            await anext(channel.lines())


async def test_a_slow_reader_makes_the_far_side_wait(host: HostTransport) -> None:
    code = "for n in range(600000): print(f'{n:099}')"  # 60 MB
    async with await host.open_channel(python(code)) as channel:
        lines = channel.lines()
        assert int(await anext(lines)) == 0
        await asyncio.sleep(0.5)
        assert channel._process._output_bytes < 32 * 2**20  # type: ignore[attr-defined]
        rest = [line async for line in lines]
        assert len(rest) == 599_999 and int(rest[-1]) == 599_999
        assert await channel.wait() == 0


async def test_what_has_ended_takes_nothing_and_says_nothing(host: HostTransport) -> None:
    async with await host.open_channel(["true"]) as channel:
        assert await channel.wait() == 0
        await channel.send(b"hello\n")
        assert [line async for line in channel.lines()] == []


async def test_a_command_that_is_not_there_is_refused(host: HostTransport) -> None:
    async with await host.open_channel(["/nowhere/at/all"]) as channel:
        with pytest.raises(RefusedError, match="/nowhere/at/all cannot be started"):
            await anext(channel.lines())
        with pytest.raises(RefusedError):
            await channel.wait()


async def test_channels_leave_room_for_commands(new_server: Any, reach: Any) -> None:
    with new_server() as server:
        host = reach(server)
        channels = [await host.open_channel(["cat"]) for _ in range(12)]
        assert (await host.run(["echo", "room"], deadline_s=20)).stdout == b"room\n"
        for at, channel in enumerate(channels):
            await channel.send(b"%d\n" % at)
            assert await anext(channel.lines()) == b"%d" % at
        await asyncio.gather(*(channel.close() for channel in channels))
        assert server.log.count("Accepted publickey") == 2


async def test_a_channel_outlives_many_keepalives(server: Any, reach: Any) -> None:
    async with await reach(server, keepalive_s=0.05).open_channel(["cat"]) as channel:
        await asyncio.sleep(1)
        await channel.send(b"still here\n")
        assert await anext(channel.lines()) == b"still here"
