"""What an app prints while its run is awaited, line by line."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing, asynccontextmanager

from agi_cluster.printed_lines import PrintedLines
from agi_env.errors import AgiError

_END_S = 10.0
"""Seconds that the last lines have to arrive, once the run is settled."""


@asynccontextmanager
async def printed(
    pieces: AsyncGenerator[tuple[str, str], None], say: Callable[[str], None]
) -> AsyncGenerator[None, None]:
    """Say each line with the name of its file, while the context lasts and to the end of it.

    Where the context ends with an error, nobody waits for what would still come.

    Args:
        pieces: Names and text, as ``read_run_log`` yields them.
        say: Takes a line.
    """
    saying = asyncio.create_task(_say_lines(pieces, say), name="what is printed")
    try:
        yield
        await asyncio.wait([saying], timeout=_END_S)
    finally:
        saying.cancel()
        await asyncio.gather(saying, return_exceptions=True)


async def _say_lines(
    pieces: AsyncGenerator[tuple[str, str], None], say: Callable[[str], None]
) -> None:
    lines = PrintedLines()
    try:
        async with aclosing(pieces):
            async for file, text in pieces:
                for line in lines.take(file, text):
                    say(line)
        for line in lines.rest():
            say(line)
    except AgiError as error:  # it says nothing of the run
        say(f"what it printed: {error}")
