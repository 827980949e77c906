"""What the daemon makes of a far side that says little, or is cut off in the middle of a word."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Sequence
from types import TracebackType
from typing import Any, Self

import pytest

from agi_daemon.runs.attachment import Attachment
from agi_env.errors import AgiError, DiskFullError, InternalError


class SpokenChannel:
    """A channel whose far side says some lines and is gone."""

    def __init__(self, lines: Sequence[bytes]) -> None:
        self._lines = lines

    async def lines(self) -> AsyncIterator[bytes]:
        for line in self._lines:
            yield line

    async def send(self, data: bytes) -> None:
        raise AssertionError(f"nobody asked for {data!r}")

    async def wait(self) -> int:
        return -9

    async def close(self) -> None:
        pass

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
        pass


ATTACHED = b'{"attached": {"started": true, "epoch": 3, "pid": 5}}'
SETTLED = b'{"record": {"seq": 2, "kind": "settled"}}'
RECORD = b'{"record": {"seq": 1, "kind": "runner_started"}}'


def refused(error: AgiError) -> bytes:
    answer = {"code": error.code, "metadata": error.to_metadata()}
    return json.dumps({"error": answer}).encode()


async def heard(line: Attachment) -> list[dict[str, Any]]:
    return [record async for batch in line.batches() for record in batch]


class SilentChannel(SpokenChannel):
    """One whose far side never ends."""

    async def lines(self) -> AsyncIterator[bytes]:
        async for line in super().lines():
            yield line
        await asyncio.Event().wait()


async def test_a_runner_that_is_settled_and_stays_is_not_waited_for():
    line = Attachment(SilentChannel([ATTACHED, SETTLED]), farewell_s=0.01)
    assert [record["kind"] for record in await heard(line)] == ["settled"]
    assert line.gone is None


@pytest.mark.parametrize("torn", [b"", b"{", RECORD[:-1], RECORD[:20]])
async def test_a_line_that_was_torn_by_a_kill_is_left_out(torn: bytes):
    line = Attachment(SpokenChannel([ATTACHED, RECORD, torn]))
    assert [record["seq"] for record in await heard(line)] == [1]
    assert line.epoch == 3
    assert line.gone is None


async def test_a_torn_line_alone_is_a_broken_line():
    line = Attachment(SpokenChannel([ATTACHED[:9]]))
    assert await heard(line) == []
    assert line.gone is None


async def test_a_refusal_that_may_pass_is_kept_for_the_case_that_it_does_not():
    line = Attachment(SpokenChannel([refused(InternalError("the supervisor ended at once"))]))
    assert await heard(line) == []
    assert isinstance(line.refusal, InternalError)
    assert line.gone is None


async def test_any_other_refusal_is_raised():
    line = Attachment(SpokenChannel([refused(DiskFullError("no room"))]))
    with pytest.raises(DiskFullError):
        await heard(line)
