"""``agi daemon restore`` and ``rebuild``: what is done to a store that no daemon serves."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from agi_daemon.backup.backups import MIGRATION, Backups
from agi_daemon.backup.restore import go_back, is_sound, put_aside
from agi_daemon.events import Events
from agi_daemon.hosts.hosts import Hosts
from agi_daemon.hosts.reach import SshReach
from agi_daemon.instance_lock import InstanceLock
from agi_daemon.runs.rebuild import Rebuild
from agi_daemon.runs.run_keys import RunKeys
from agi_daemon.settings import DaemonSettings
from agi_daemon.store.requests import Requests
from agi_daemon.store.store import Store
from agi_daemon.transport.local import LocalTransport
from agi_env.paths import host_root


async def restore(settings: DaemonSettings, backup: Path | None = None) -> dict[str, Any]:
    """Go back to a backup, then take in the runs that it does not know.

    Without the second step a run that the backup has as waiting would be run once more.

    Args:
        settings: Of the daemon of that state directory, which may not run.
        backup: A copy of its store; None: the last that is in its directory of backups.

    Returns:
        For programs: where the store came from, where the one of before is, and what came in.

    Raises:
        DaemonAlreadyRunningError: A daemon runs.
        NotFoundError: There is no backup.
        StateUnreadableError: It is damaged, no store, or of a newer version.
        DiskFullError, StateUnwritableError: It cannot be written; the store is as it was.
    """
    with InstanceLock(settings.lock_path, settings.address):
        source = backup or Backups(settings.store_path).newest().path
        aside = go_back(settings.store_path, source)
        return {"backup": str(source), "aside": _text(aside), **await _taken_in(settings)}


async def rebuild(settings: DaemonSettings, *, anew: bool = False) -> dict[str, Any]:
    """Take the runs' directories into the store; a damaged store is put aside, and a new one made.

    Args:
        settings: Of the daemon of that state directory, which may not run.
        anew: Put a sound store aside too.

    Returns:
        For programs: where the store of before is, and what came in.

    Raises:
        DaemonAlreadyRunningError: A daemon runs.
        StateUnreadableError: The store is of a newer version.
        DiskFullError, StateUnwritableError: It cannot be written.
    """
    with InstanceLock(settings.lock_path, settings.address):
        keeps = is_sound(settings.store_path) and not anew
        aside = None if keeps else put_aside(settings.store_path)
        return {"backup": "", "aside": _text(aside), **await _taken_in(settings)}


async def _taken_in(settings: DaemonSettings) -> dict[str, Any]:
    async with _opened(settings) as (store, hosts):
        keys = RunKeys(settings.keys_path)
        return (await Rebuild(store, Events(store), hosts, keys).take_in()).to_dict()


@asynccontextmanager
async def _opened(settings: DaemonSettings) -> AsyncIterator[tuple[Store, Hosts]]:
    backups = Backups(settings.store_path)
    store = Store.open(settings.store_path, lambda: backups.make(MIGRATION))
    try:
        here = LocalTransport(host_root(settings.state))
        hosts = Hosts(store, Requests(store), here, SshReach(settings.ssh))
        try:
            yield store, hosts
        finally:
            await hosts.aclose()
    finally:
        store.close()


def _text(path: Path | None) -> str:
    return "" if path is None else str(path)
