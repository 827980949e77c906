"""What Dask's messages between runner and worker are: words of ours, and tasks of one function.

The function lives here, where both sides import it, so that Dask sends its name and a text.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Protocol, cast

from distributed.worker import get_worker

WORD = "agi-word"
"""Dask's name for a message of ours."""

Carry = Callable[[str], Awaitable[None]]


class Carrier(Protocol):
    """A Dask worker that knows what to do with the text of a task."""

    carry: Carry


async def carry(text: str) -> None:
    """Have the worker pass the text on, and wait until it is done with; facts go another way."""
    await cast("Carrier", get_worker()).carry(text)
