"""The runner's clock: unix seconds that never go back and never jump while a runner lives."""

from __future__ import annotations

import time


class RunnerClock:
    """The time of day at its making, and the monotonic clock from then on."""

    def __init__(self) -> None:
        self._offset = time.time() - time.monotonic()

    def __call__(self) -> float:
        """Seconds since 1970."""
        return time.monotonic() + self._offset
