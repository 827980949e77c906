"""What a caller sees while an installation or a run goes on: lines of the logger ``agi``."""

from __future__ import annotations

import logging
from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import TypeVar

from agi_cluster.model.benchmark import Benchmark
from agi_cluster.model.event import Event
from agi_cluster.model.installation import Installation
from agi_cluster.model.run import Run
from agi_cluster.narration import line_of
from agi_env.errors import AgiError

logger = logging.getLogger("agi")

Watched = TypeVar("Watched", Run, Installation, Benchmark)


class Progress:
    """Follows one resource and says what happens to it.

    Lines go to the logger ``agi`` at level INFO. Where no logging is set up they go to stderr, as
    the logging module does with warnings: a program that configures nothing still sees them.

    Args:
        name: What is followed, such as ``runs/ID``.
        verbose: How much to say, as `agi_env.verbosity.Verbosity` defines it.
    """

    def __init__(self, name: str, verbose: int) -> None:
        self._name = name
        self._verbose = verbose
        self._stderr = logging.StreamHandler()

    def away(self, error: AgiError | None) -> None:
        """Say that one waits for the daemon, and that it is back; for ``AsyncClient.away``."""
        line = "the daemon is back" if error is None else "the daemon is gone; waiting for it"
        self.say(1, f"{self._name}: {line}")

    async def follow(
        self, updates: AsyncGenerator[tuple[Watched | Event, int], None], started: Watched
    ) -> Watched:
        """Say what the updates tell, and return the last snapshot: the settled resource.

        A caller that is cancelled, or loses the daemon, stops following; what is followed goes on.
        """
        last, over = started, False
        try:
            async with aclosing(updates):
                async for update, _ in updates:
                    last = self._take(update, last)
            over = True
        finally:
            if not over:
                self.say(0, f"{self._name}: no longer watched; it goes on")
        return last

    def say(self, verbosity: int, line: str) -> None:
        """Log a line, if the caller wants to see as much."""
        if verbosity > self._verbose:
            return
        if logger.hasHandlers():
            logger.info("%s", line)
        else:
            self._stderr.handle(
                logger.makeRecord(logger.name, logging.INFO, __file__, 0, line, (), None)
            )

    def _take(self, update: Watched | Event, last: Watched) -> Watched:
        if isinstance(update, Event):
            line = line_of(update)
            if line:
                self.say(update.verbosity, f"{self._name}: {line}")
            return last
        return update
