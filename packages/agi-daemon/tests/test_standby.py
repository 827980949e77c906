"""The attach that waits: taken where it fits, replaced where it does not, ended where unused."""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

import pytest

from agi_daemon.runs.standby import ATTACH_MODULE, Standby
from agi_daemon.transport.host_transport import Channel
from agi_daemon.transport.local import LocalTransport
from agi_env.errors import HostConnectionLostError, RefusedError
from agi_env.runtime.journal import JOURNAL_FILE, Journal

ARGUMENTS = ["/runs/r1", "--epoch", "1"]


class HeardChannel:
    """A channel that keeps what is sent over it."""

    def __init__(self, argv: Sequence[str]) -> None:
        self.argv = list(argv)
        self.sent = b""
        self.closed = False
        self.host_is_lost = False

    async def lines(self) -> AsyncIterator[bytes]:
        for line in ():
            yield line

    async def send(self, data: bytes) -> None:
        self.sent += data

    async def wait(self) -> int:
        return 0

    async def close(self) -> None:
        self.closed = True
        if self.host_is_lost:
            raise HostConnectionLostError("the line broke", where="there")

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


class Opening:
    """The part of a host that opens channels; the first so many times it refuses."""

    def __init__(self, host: str = "here", refusals: int = 0) -> None:
        self.host = host
        self.opened: list[HeardChannel] = []
        self._refusals = refusals

    async def open_channel(self, argv: Sequence[str]) -> Channel:
        if self._refusals:
            self._refusals -= 1
            raise RefusedError("not now")
        self.opened.append(HeardChannel(argv))
        return self.opened[-1]


async def test_one_that_waits_is_told_its_arguments():
    host, standby = Opening(), Standby()
    standby.prepare(host, "python")
    standby.prepare(host, "python")
    channel = await standby.channel(host, "python", ARGUMENTS)
    assert [channel] == host.opened
    assert host.opened[0].argv == ["python", "-P", "-m", ATTACH_MODULE, "--standby"]
    assert json.loads(host.opened[0].sent) == {"arguments": ARGUMENTS}


async def test_it_serves_once():
    host, standby = Opening(), Standby()
    standby.prepare(host, "python")
    await standby.channel(host, "python", ARGUMENTS)
    await standby.channel(host, "python", ARGUMENTS)
    assert host.opened[1].argv == ["python", "-P", "-m", ATTACH_MODULE, *ARGUMENTS]


@pytest.mark.parametrize(("host", "python"), [("there", "python"), ("here", "other python")])
async def test_elsewhere_it_is_of_no_use(host: str, python: str):
    here, there, standby = Opening(), Opening(host), Standby()
    standby.prepare(here, "python")
    await standby.channel(there, python, ARGUMENTS)
    assert there.opened[0].argv == [python, "-P", "-m", ATTACH_MODULE, *ARGUMENTS]
    await standby.close()
    assert here.opened[0].closed


async def test_one_that_could_not_be_started_is_tried_again():
    host, standby = Opening(refusals=1), Standby()
    standby.prepare(host, "python")
    await standby.channel(host, "python", ARGUMENTS)
    assert host.opened[0].argv == ["python", "-P", "-m", ATTACH_MODULE, *ARGUMENTS]


async def test_one_that_still_cannot_be_started_is_told_of():
    host, standby = Opening(refusals=2), Standby()
    standby.prepare(host, "python")
    with pytest.raises(RefusedError):
        await standby.channel(host, "python", ARGUMENTS)
    await standby.close()


async def test_one_whose_host_is_lost_is_left_alone():
    host, standby = Opening(), Standby()
    standby.prepare(host, "python")
    await asyncio.sleep(0)
    host.opened[0].host_is_lost = True
    await standby.close()
    assert host.opened[0].closed


@pytest.mark.parametrize("prepared", [True, False])
async def test_what_lies_where_it_is_started_is_not_imported(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, prepared: bool
):
    for name in ("json", "queue", "selectors", "struct"):
        (tmp_path / f"{name}.py").write_text("raise SystemExit('it was imported')")
    journal = Journal.open(tmp_path / JOURNAL_FILE, 1)
    journal.append("settled", state="SUCCEEDED")
    journal.close()
    monkeypatch.chdir(tmp_path)
    here, standby = LocalTransport(tmp_path / "host"), Standby()
    if prepared:
        standby.prepare(here, sys.executable)
    arguments = [str(tmp_path), "--epoch", "2", "--after", "0"]
    async with await standby.channel(here, sys.executable, arguments) as channel:
        lines = [json.loads(line) async for line in channel.lines()]
        assert channel.stderr_tail() == b""
    assert lines[-1] == {"gone": None, "settled": True}
