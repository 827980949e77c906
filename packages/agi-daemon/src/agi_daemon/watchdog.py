"""Ends a daemon whose event loop is stuck, so that another can take its place; runs go on.

The loop has to beat; a thread counts its own ticks between two beats. Counting ticks instead of
reading a clock means that a daemon that was stopped or a machine that slept is no stuck loop.
"""

from __future__ import annotations

import asyncio
import faulthandler
import json
import os
import threading
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path

EXIT_CODE = 70
"""What a daemon ends with when its loop was stuck; no error of the catalogue has it."""

_TICKS = 20


class Watchdog:
    """Watches one event loop from a thread.

    Args:
        limit: Seconds without a beat after which the loop counts as stuck.
        log: The file that the stacks of all threads are appended to.
        end: Ends the process; called once, from the thread.
    """

    def __init__(
        self, limit: float, log: Path, end: Callable[[], None] = lambda: os._exit(EXIT_CODE)
    ) -> None:
        self._tick = limit / _TICKS
        self._limit = limit
        self._log = log
        self._end = end
        self._missed = 0
        self._closed = threading.Event()

    @asynccontextmanager
    async def watching(self) -> AsyncIterator[None]:
        """Watch the running loop while the context lasts; with a limit of 0, do nothing."""
        if not self._limit:
            yield
            return
        thread = threading.Thread(target=self._watch, name="watchdog", daemon=True)
        beats = asyncio.create_task(self._beat(), name="watchdog-beats")
        thread.start()
        try:
            yield
        finally:
            self._closed.set()
            beats.cancel()
            await asyncio.gather(beats, return_exceptions=True)

    async def _beat(self) -> None:
        while True:
            self._missed = 0
            await asyncio.sleep(self._tick)

    def _watch(self) -> None:
        while not self._closed.wait(self._tick):
            self._missed += 1
            if self._missed > _TICKS:
                self._give_up()
                return

    def _give_up(self) -> None:
        try:
            self._report()
        finally:
            # Also where the report cannot be written: a full disk must not keep a dead loop alive.
            self._end()

    def _report(self) -> None:
        """Append the stacks to the log, past the logging module: its lock may be what is held."""
        descriptor = os.open(self._log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        try:
            line = {
                "time": datetime.now(UTC).isoformat(timespec="milliseconds"),
                "level": "critical",
                "log": __name__,
                "event": "the event loop is stuck; the stacks of all threads follow",
                "seconds": self._limit,
            }
            os.write(descriptor, (json.dumps(line) + "\n").encode())
            faulthandler.dump_traceback(file=descriptor, all_threads=True)
        finally:
            os.close(descriptor)
