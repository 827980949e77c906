"""The daemon's knowledge of itself: what it is, and that it was asked to end."""

from __future__ import annotations

import asyncio
import os
import sqlite3
import uuid
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import agi_daemon
from agi_cluster.model.daemon import Backup, DaemonInfo
from agi_daemon.backup.backups import ASKED, Backups
from agi_daemon.backup.copy import copy_store
from agi_daemon.completion import completed
from agi_daemon.log import get_log
from agi_daemon.settings import DaemonSettings
from agi_daemon.store.codec import dump, load
from agi_daemon.store.requests import Claim, Requests
from agi_daemon.store.store import Store
from agi_env.errors import DOMAIN, AgiError, AlreadyExistsError, RequestInvalidError
from agi_env.paths import private_directory

_log = get_log(__name__)


class ThisDaemon:
    """Implements ``DaemonService`` for the daemon that runs in this process.

    Args:
        settings: What it was told when it started.
        store: Whose schema it tells.
        requests: The request ids that were accepted.
        active_runs: Counts the runs that are not settled.
        stop: Begins the shutdown; it may be called again.
    """

    def __init__(
        self,
        settings: DaemonSettings,
        *,
        store: Store,
        requests: Requests,
        active_runs: Callable[[], int],
        stop: Callable[[], object],
    ) -> None:
        self._settings = settings
        self._store = store
        self._requests = requests
        self._active_runs = active_runs
        self._stop = stop
        self._start_time = datetime.now(UTC)
        self._id = f"daemon-{uuid.uuid4()}"

    async def get_daemon(self) -> DaemonInfo:
        """What daemon this is."""
        return DaemonInfo(
            version=agi_daemon.__version__,
            api=DOMAIN,
            pid=os.getpid(),
            start_time=self._start_time,
            state_directory=str(self._settings.state),
            log_path=str(self._settings.log_path),
            schema=self._store.schema,
            active_runs=self._active_runs(),
            address=self._settings.address,
        )

    async def stop_daemon(self, *, request_id: str = "", validate_only: bool = False) -> DaemonInfo:
        """Begin the shutdown, which waits for this call's answer to be sent; runs go on.

        A repeat that reaches the next daemon finds the wish fulfilled and does not stop that one.
        """
        async with self._requests.claim(request_id, "StopDaemon", ()) as claim:
            if not claim.earlier and not validate_only:
                await self._remember(claim)
            if claim.earlier == self._id or not (claim.earlier or validate_only):
                self._stop()
            return await self.get_daemon()

    async def create_backup(
        self, path: str = "", *, request_id: str = "", validate_only: bool = False
    ) -> Backup:
        """Copy the store while it is used.

        Raises:
            AlreadyExistsError: There is a file of this name.
            RequestInvalidError: There is no such directory.
            DiskFullError, StateUnwritableError: It cannot be written.
        """
        async with self._requests.claim(request_id, "CreateBackup", path) as claim:
            if claim.earlier:
                return load(claim.earlier, Backup)
            target = self._backup_place(path)
            if validate_only:
                return self._backup(target, self._store.read(_size))
            return await completed(self._make_backup(target, claim))

    async def _make_backup(self, target: Path, claim: Claim) -> Backup:
        size = await asyncio.to_thread(copy_store, self._store.path, target)
        backup = self._backup(target, size)
        _log.info("backed up", path=backup.path, bytes=size)
        await self._store.write(lambda tx: claim.remember(tx, dump(backup)))
        return backup

    def _backup_place(self, path: str) -> Path:
        backups = Backups(self._store.path)
        if not path:
            private_directory(backups.directory)
            return backups.place(ASKED)
        target = Path(path)
        target = target / backups.place(ASKED).name if target.is_dir() else target
        if target.exists():
            raise AlreadyExistsError("there is a file of this name", where=str(target))
        if not target.parent.is_dir():
            raise RequestInvalidError(f"{target.parent} is no directory", where="path")
        return target

    def _backup(self, target: Path, size: int) -> Backup:
        now = datetime.now(UTC)
        return Backup(path=str(target), bytes=size, schema=self._store.schema, create_time=now)

    async def _remember(self, claim: Claim) -> None:
        try:
            await self._store.write(lambda tx: claim.remember(tx, self._id))
        except AgiError as error:
            # Above all a daemon on a full disk has to be one that can be stopped.
            _log.warning("a stop is not remembered", code=error.code, message=str(error))


def _size(connection: sqlite3.Connection) -> int:
    pages = connection.execute("PRAGMA page_count").fetchone()[0]
    return int(pages) * int(connection.execute("PRAGMA page_size").fetchone()[0])
