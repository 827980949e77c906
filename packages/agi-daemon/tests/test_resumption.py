"""Work that breaks off is taken up again, and is left to its owner."""

from __future__ import annotations

import asyncio

import pytest

from agi_daemon.resumption import Resumption


class Breaking:
    """Work that breaks off a number of times before it ends."""

    def __init__(self, times: int) -> None:
        self.times = times
        self.attempts = 0

    async def attempt(self) -> None:
        self.attempts += 1
        if self.attempts <= self.times:
            raise ExceptionGroup("steps", [ValueError("not now")])


async def test_it_is_attempted_until_it_ends():
    work = Breaking(3)
    await Resumption(0.001, 0.002).work("runs/r", work.attempt)
    assert work.attempts == 4


async def test_its_owner_ends_it_in_a_pause():
    work = Breaking(3)
    task = asyncio.create_task(Resumption(60).work("runs/r", work.attempt))
    while not work.attempts:
        await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert work.attempts == 1
