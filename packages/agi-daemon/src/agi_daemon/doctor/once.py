"""A question that several rungs stand on, and that is asked once."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Generic, TypeVar

from agi_env.errors import AgiError

Answer = TypeVar("Answer")


class Once(Generic[Answer]):
    """Asks when the first one wants to know, and gives all the same answer or the same error.

    Args:
        ask: Asks; it is asked again only where an asker was cancelled before the answer came.
    """

    def __init__(self, ask: Callable[[], Awaitable[Answer]]) -> None:
        self._ask = ask
        self._turn = asyncio.Lock()
        self._answers: list[Answer] = []
        self._error: AgiError | None = None

    async def __call__(self) -> Answer:
        """The answer.

        Raises:
            AgiError: What came instead.
        """
        async with self._turn:
            if self._error is not None:
                raise self._error
            if not self._answers:
                try:
                    self._answers.append(await self._ask())
                except AgiError as error:
                    self._error = error
                    raise
            return self._answers[0]
