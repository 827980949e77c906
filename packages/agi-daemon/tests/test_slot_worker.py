"""The daemon's line to a worker: what it says when the worker does not come to its slot."""

from __future__ import annotations

import asyncio
import json
import sys
from pathlib import Path
from typing import cast

import pytest

from agi_daemon.runs.record import RunRecord, SchedulerPlace
from agi_daemon.runs.slot_worker import Post, SlotWorker
from agi_daemon.transport.local import LocalTransport
from agi_env.errors import OutOfTimeError
from agi_env.runtime.causes import EndKind
from agi_env.runtime.cluster_keys import ClusterKeys

FAR_SIDE = """
import json, sys
heard, holds_at = open(sys.argv[1], "a"), int(sys.argv[2])
sys.stdin.readline()
for number, line in enumerate(sys.stdin, 1):
    print(line.strip(), file=heard, flush=True)
    if json.loads(line)["op"] == "end":
        break
    if holds_at < 0:
        continue
    answer = {"answer": {"accepted": True, "holds": number >= holds_at}}
    refusal = {"error": {"code": "REFUSED", "metadata": {}}}
    said = answer if holds_at else refusal
    print(json.dumps({"control": {"command": line, **said}}), flush=True)
print(json.dumps({"gone": None}), flush=True)
"""
"""What ``worker_attach`` says of a worker that has its slot after so many questions; if it can."""

NEVER_A_WORD, NOBODY_LISTENS = -1, 0
"""Instead of a number of questions: no line at all, or only that nobody listens at the socket."""

HERE = SchedulerPlace(address="tls://127.0.0.1:1", epoch=1)


class FarSide(Post):
    """A post whose command writes down what it is told."""

    heard: Path
    holds_at: int

    @property
    def command(self) -> list[str]:
        return [sys.executable, "-c", FAR_SIDE, str(self.heard), str(self.holds_at)]


@pytest.fixture
def heard(tmp_path: Path) -> Path:
    path = tmp_path / "heard"
    path.touch()
    return path


def far_side(heard: Path, holds_at: int) -> SlotWorker:
    post = FarSide(
        transport=LocalTransport(heard.parent / "host"),
        record=cast(RunRecord, None),  # only the real command asks for it
        slot=0,
        keys=ClusterKeys("a", "b", "c"),
    )
    object.__setattr__(post, "heard", heard)
    object.__setattr__(post, "holds_at", holds_at)
    return SlotWorker(post, ask_again_s=0.05)


def told(heard: Path) -> list[str]:
    return [json.loads(line)["op"] for line in heard.read_text().splitlines()]


async def until_told(heard: Path, count: int) -> None:
    async with asyncio.timeout(20):
        while len(told(heard)) < count:
            await asyncio.sleep(0.01)


async def test_a_worker_is_told_its_runner_again_until_it_has_its_slot(heard: Path) -> None:
    worker = far_side(heard, holds_at=3)
    await worker.serve(HERE)
    attending = asyncio.create_task(worker.attend())
    await until_told(heard, 3)
    await asyncio.sleep(0.5)
    assert worker.holds
    assert told(heard) == ["join"] * 3
    await worker.send_home()
    assert (await attending).kind is EndKind.KILLED
    assert not worker.holds


async def test_what_the_journal_says_is_enough(heard: Path) -> None:
    worker = far_side(heard, holds_at=1_000)
    await worker.serve(HERE)
    attending = asyncio.create_task(worker.attend())
    await until_told(heard, 2)
    await worker.has_joined()
    await asyncio.sleep(0.2)
    before = told(heard)
    await asyncio.sleep(0.5)
    assert told(heard) == before
    await worker.serve(SchedulerPlace(address=HERE.address, epoch=2))
    assert not worker.holds  # that was under another runner
    await until_told(heard, len(before) + 3)
    await worker.send_home()
    await attending


@pytest.mark.parametrize("holds_at", [NEVER_A_WORD, NOBODY_LISTENS])
async def test_a_line_on_which_no_worker_answers_is_given_up(heard: Path, holds_at: int) -> None:
    worker = far_side(heard, holds_at)
    await worker.serve(HERE)
    with pytest.raises(OutOfTimeError, match="nobody answers"):
        await worker.attend()
    assert told(heard) == ["join"] * 3
