"""Work on something that is stored, taken up again where it broke off without an end."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

from attrs import frozen

from agi_daemon.defects import sole_cause
from agi_daemon.log import get_log

_log = get_log(__name__)


@frozen
class Resumption:
    """How work is taken up again; pauses in seconds, each twice as long as the one before."""

    first_pause: float = 1.0
    longest_pause: float = 60.0

    async def work(self, subject: str, attempt: Callable[[], Awaitable[object]]) -> None:
        """Attempt until that ends without an error; whoever owns the task ends it earlier.

        Args:
            subject: What is worked on, for the log.
            attempt: Begins with what is stored, and may be repeated after any crash.
        """
        pause = self.first_pause
        while True:
            try:
                await attempt()
            except Exception as error:  # noqa: BLE001 - the boundary: logged, and tried again
                cause = sole_cause(error)
                _log.error("work broke off", subject=subject, error=cause, again_in=pause)
            else:
                return
            await asyncio.sleep(pause)
            pause = min(2 * pause, self.longest_pause)


STEADY = Resumption()
"""As a daemon does it."""
