"""What a host does is told to a witness, who changes nothing of it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

import pytest

from agi_daemon.hosts.observed import ObservedTransport
from agi_daemon.transport.host_transport import Channel
from agi_daemon.transport.local import LocalTransport
from agi_env.errors import DiskFullError, HostConnectionLostError, HostError


class BreakingChannel:
    """A channel whose line breaks after one word."""

    def __init__(self) -> None:
        self.closed = False

    async def lines(self) -> AsyncIterator[bytes]:
        yield b"word"
        raise HostConnectionLostError("the line broke", where="there")

    async def send(self, data: bytes) -> None:
        raise AssertionError(f"nobody asked for {data!r}")

    async def wait(self) -> int:
        return -1

    async def close(self) -> None:
        self.closed = True

    def stderr_tail(self) -> bytes:
        return b""

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self.close()


class FarTransport(LocalTransport):
    """This machine as a host there, whose lines break."""

    def __init__(self, root: Path) -> None:
        super().__init__(root, host="there")
        self.channel = BreakingChannel()
        self.refusal: HostError | None = None

    async def open_channel(  # type: ignore[override]
        self, argv: Sequence[str], *, env: Mapping[str, str] | None = None
    ) -> Channel:
        if self.refusal is not None:
            raise self.refusal
        return self.channel


class Forgetful:
    """A witness that has no room to note anything."""

    def __init__(self) -> None:
        self.heard: list[str] = []

    async def note_answer(self, address: str) -> None:
        self.heard.append("answer")
        raise DiskFullError("no space is left for the store")

    async def note_failure(self, address: str, error: HostError) -> None:
        self.heard.append(error.code)
        raise DiskFullError("no space is left for the store")


class Thoughtful(Forgetful):
    """A witness that takes its time."""

    def __init__(self) -> None:
        super().__init__()
        self.thinks = asyncio.Event()

    async def note_answer(self, address: str) -> None:
        self.thinks.set()
        await asyncio.Event().wait()


async def test_a_witness_that_fails_changes_no_answer(tmp_path: Path):
    witness = Forgetful()
    host = ObservedTransport(FarTransport(tmp_path), witness)
    assert (await host.run(["echo", "hi"], deadline_s=10)).stdout == b"hi\n"
    channel = await host.open_channel(["attach"])
    with pytest.raises(HostConnectionLostError):
        assert [line async for line in channel.lines()] == [b"word"]
    assert witness.heard == ["answer", "answer", "HOST_CONNECTION_LOST"]


async def test_a_witness_that_fails_changes_no_failure(tmp_path: Path):
    inner, witness = FarTransport(tmp_path), Forgetful()
    inner.refusal = HostConnectionLostError("nobody is there", where="there")
    with pytest.raises(HostConnectionLostError, match="nobody is there"):
        await ObservedTransport(inner, witness).open_channel(["attach"])
    assert witness.heard == ["HOST_CONNECTION_LOST"]


async def test_a_channel_of_a_caller_that_leaves_meanwhile_is_closed(tmp_path: Path):
    inner, witness = FarTransport(tmp_path), Thoughtful()
    opening = asyncio.create_task(ObservedTransport(inner, witness).open_channel(["attach"]))
    await witness.thinks.wait()
    opening.cancel()
    with pytest.raises(asyncio.CancelledError):
        await opening
    assert inner.channel.closed
