"""Work that goes on to its end, also when the caller who waits for it hangs up."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable
from typing import TypeVar

Answer = TypeVar("Answer")


async def completed(work: Awaitable[Answer]) -> Answer:
    """Await short work that must not be left in the middle.

    A caller that is cancelled meanwhile, as a call is when its client hangs up, is so only after
    the work has ended; what the work came to is then nobody's business any more.
    """
    task = asyncio.ensure_future(work)
    try:
        return await asyncio.shield(task)
    except asyncio.CancelledError:
        await asyncio.gather(task, return_exceptions=True)
        raise
