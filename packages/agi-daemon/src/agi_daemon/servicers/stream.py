"""The answers of a streaming call."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from typing import TypeVar

Item = TypeVar("Item")
Message = TypeVar("Message")


async def packed(
    items: AsyncIterator[Item], pack: Callable[[Item], Message]
) -> AsyncIterator[Message]:
    """What a core yields, as messages; the core's own iterator ends with this one.

    Without that, a caller who leaves would leave the core's watch open until the garbage
    collector comes by.
    """
    try:
        async for item in items:
            yield pack(item)
    finally:
        close = getattr(items, "aclose", None)
        if close is not None:
            await close()
