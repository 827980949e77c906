"""How long a client waits for a daemon that does not answer."""

from __future__ import annotations

import math
import random
import time
from collections.abc import Callable

from agi_env.errors import AgiError

_FIRST, _LONGEST = 0.05, 1.0
"""Seconds between attempts: twice as long each time, spread by a random factor of 0.5 to 1."""

TOLD_AFTER_S = 1.0
"""Seconds of silence after which it is told: a stream that only breaks is back sooner."""

Away = Callable[[AgiError | None], None]
"""Is told the error once the daemon has been silent for a while, and None once it answers again."""


def untold(_error: AgiError | None) -> None:
    """Nobody wants to know."""


class Patience:
    """Counts the time since the daemon answered last, and names the pauses between attempts.

    A few lines instead of ``stamina``, which reports each retry through process-wide hooks: where
    structlog is installed these print to stdout, where a client's caller has its results.

    Args:
        seconds: How long to try again while nobody answers; 0 tries once.
        deadline: Seconds that all attempts may take together.
        away: Whom to tell that one waits.
    """

    def __init__(self, seconds: float, *, deadline: float = math.inf, away: Away = untold) -> None:
        self._seconds = seconds
        self._deadline = time.monotonic() + deadline
        self._away = away
        self._told = False
        self.renew()

    def renew(self) -> None:
        """The daemon answered: begin anew."""
        self._until: float | None = None
        self._pause = _FIRST
        if self._told:
            self._told = False
            self._away(None)

    def left(self) -> float:
        """The seconds that are left for an attempt."""
        return max(self._deadline - time.monotonic(), 0.0)

    def pause_after(self, error: AgiError) -> float:
        """The seconds to wait before the next attempt.

        Raises:
            AgiError: The given error, when there is no time for another attempt.
        """
        now = time.monotonic()
        if self._until is None:
            self._since = now
            self._until = min(now + self._seconds, self._deadline)
        pause = self._pause * random.uniform(0.5, 1.0)  # noqa: S311
        self._pause = min(2 * self._pause, _LONGEST)
        if now + pause > self._until:
            raise error
        if not self._told and now - self._since >= TOLD_AFTER_S:
            self._told = True
            self._away(error)
        return pause
