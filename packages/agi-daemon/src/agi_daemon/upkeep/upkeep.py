"""Backups and pruning that nobody asks for: a task that looks once in a while what is due."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from agi_daemon.backup.backups import DAILY, Backups
from agi_daemon.log import get_log
from agi_daemon.pruning.pruner import Pruner
from agi_daemon.upkeep.upkeep_settings import DAY_S, UpkeepSettings
from agi_env.errors import AgiError

_log = get_log(__name__)

FIRST_S = 60.0
"""Seconds after a daemon's start: what people started it for comes first."""
LOOK_S = 600.0
"""Seconds between two looks: a machine that slept is late by no more than this."""


class Upkeep:
    """Does what is due.

    Args:
        settings: What is wanted.
        backups: Those of the store.
        pruner: Forgets what is old.
        first: Seconds until the first look.
    """

    def __init__(
        self,
        settings: UpkeepSettings,
        backups: Backups,
        pruner: Pruner,
        *,
        first: float = FIRST_S,
    ) -> None:
        self._settings = settings
        self._backups = backups
        self._pruner = pruner
        self._first = first
        self._pruned_at = -DAY_S

    @asynccontextmanager
    async def going_on(self) -> AsyncIterator[None]:
        """Look while the context lasts."""
        looks = asyncio.create_task(self._look_again_and_again(), name="upkeep")
        try:
            yield
        finally:
            looks.cancel()
            await asyncio.gather(looks, return_exceptions=True)

    async def _look_again_and_again(self) -> None:
        await asyncio.sleep(min(self._first, self._settings.backup_every or self._first))
        while True:
            await self.look()
            await asyncio.sleep(min(LOOK_S, self._settings.backup_every or LOOK_S))

    async def look(self) -> None:
        """Do what is due; what fails is told in the log and tried at the next look."""
        try:
            await self._back_up()
            await self._prune()
        except AgiError as error:
            _log.error("upkeep failed", code=error.code, message=str(error))

    async def _back_up(self) -> None:
        every = self._settings.backup_every
        if not every:
            return
        age = await asyncio.to_thread(self._backups.age, DAILY)
        if age is None or age >= every:
            path = await asyncio.to_thread(self._backups.make, DAILY)
            _log.info("backed up", path=str(path))

    async def _prune(self) -> None:
        now = asyncio.get_running_loop().time()
        if now - self._pruned_at >= DAY_S:
            await self._pruner.prune(self._settings.pruning, dry_run=False)
            self._pruned_at = now
