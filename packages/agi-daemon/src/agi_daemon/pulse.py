"""Health that proves progress: a write to the store, again and again, and what came of it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress

from agi_daemon.log import get_log
from agi_env.errors import AgiError

_log = get_log(__name__)

AGAIN_S = 1.0
"""Seconds between two probes while the store cannot be written."""
DEADLINE_S = 10.0
"""Seconds that a probe may take; a disk that hangs is none that can be written."""


class Pulse:
    """Says of the daemon whether it can do its work.

    Args:
        probe: Writes; raises an `AgiError` where that cannot be done.
        tell: Told whether it could.
        every: Seconds between two probes; 0: none are made.
        doubt: Set by whoever was refused a write: then the next probe is made at once.
    """

    def __init__(
        self,
        probe: Callable[[], Awaitable[object]],
        tell: Callable[[bool], object],
        *,
        every: float,
        doubt: asyncio.Event,
    ) -> None:
        self._probe = probe
        self._tell = tell
        self._every = every
        self._doubt = doubt
        self._well = True

    @asynccontextmanager
    async def beating(self) -> AsyncIterator[None]:
        """Probe while the context lasts."""
        if not self._every:
            yield
            return
        beats = asyncio.create_task(self._beat(), name="pulse")
        try:
            yield
        finally:
            beats.cancel()
            await asyncio.gather(beats, return_exceptions=True)

    async def _beat(self) -> None:
        while True:
            pause = self._every if self._well else min(AGAIN_S, self._every)
            with suppress(TimeoutError):
                await asyncio.wait_for(self._doubt.wait(), pause)
            self._doubt.clear()
            self._learn(await self._trouble())

    async def _trouble(self) -> str:
        """What keeps the store from being written, in words; empty when nothing does."""
        probing = asyncio.ensure_future(self._probe())
        done, _ = await asyncio.wait([probing], timeout=DEADLINE_S)
        if not done:
            # It is left to end by itself: the store's writer cannot be hurried.
            probing.add_done_callback(lambda late: late.cancelled() or late.exception())
            return f"a write did not end in {DEADLINE_S:g} s"
        try:
            probing.result()
        except AgiError as error:
            return str(error)
        return ""

    def _learn(self, trouble: str) -> None:
        if trouble and self._well:
            _log.warning("not serving", reason=trouble)
        elif not trouble and not self._well:
            _log.info("serving again")
        self._well = not trouble
        self._tell(self._well)
