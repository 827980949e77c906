"""How long a client waits for a daemon that does not answer."""

from __future__ import annotations

import math
import random
import time

from agi_env.errors import AgiError

_FIRST, _LONGEST = 0.05, 1.0
"""Seconds between attempts: twice as long each time, spread by a random factor of 0.5 to 1."""


class Patience:
    """Counts the time since the daemon answered last, and names the pauses between attempts.

    A few lines instead of ``stamina``, which reports each retry through process-wide hooks: where
    structlog is installed these print to stdout, where a client's caller has its results.

    Args:
        seconds: How long to try again while nobody answers; 0 tries once.
        deadline: Seconds that all attempts may take together.
    """

    def __init__(self, seconds: float, *, deadline: float = math.inf) -> None:
        self._seconds = seconds
        self._deadline = time.monotonic() + deadline
        self.renew()

    def renew(self) -> None:
        """The daemon answered: begin anew."""
        self._until: float | None = None
        self._pause = _FIRST

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
            self._until = min(now + self._seconds, self._deadline)
        pause = self._pause * random.uniform(0.5, 1.0)  # noqa: S311
        self._pause = min(2 * self._pause, _LONGEST)
        if now + pause > self._until:
            raise error
        return pause
