"""Work that goes on to its end, also when the caller who waits for it hangs up."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable
from contextlib import suppress
from typing import TypeVar

Answer = TypeVar("Answer")


async def completed(work: Awaitable[Answer]) -> Answer:
    """Await short work that must not be left in the middle.

    A caller that is cancelled meanwhile, as a call is when its client hangs up, is so only after
    the work has ended, however often it is cancelled; what the work came to is then nobody's
    business any more.
    """
    task = asyncio.ensure_future(work)
    try:
        return await asyncio.shield(task)
    except asyncio.CancelledError:
        await _ended(task)
        raise


async def _ended(task: asyncio.Future[Answer]) -> None:
    """Wait for the end of a task, whatever it is, and whoever wants this to stop."""
    while not task.done():
        with suppress(asyncio.CancelledError):  # the caller passes on the first one
            await asyncio.wait({task})
    if not task.cancelled():
        task.exception()  # nobody is left to hear it
