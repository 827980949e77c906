"""What the manager keeps of releases and wheels, and the end of what nothing needs."""

from __future__ import annotations

import shutil
import time
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path

from agi_cluster.model.release import PrunedItem, PrunedKind
from agi_daemon.install.installer import Installer
from agi_daemon.install.kept_releases import KeptRelease
from agi_daemon.install.resolution import Role
from agi_daemon.install.wheel_store import Wheel

_SETTLING_S = 3600.0
"""A wheel that is younger may belong to an install that is under way."""


def prune_manager(
    installer: Installer, *, keep: int, since: datetime, remove: bool
) -> tuple[PrunedItem, ...]:
    """What is removed, or would be, of kept releases and of wheels that could be shipped.

    Args:
        installer: Whose.
        keep: How many releases of each app stay in any case.
        since: Releases that were installed later stay.
        remove: Whether to remove it.
    """
    doomed: list[tuple[str, KeptRelease]] = []
    staying: list[KeptRelease] = []
    for app in installer.kept.apps():
        for role in Role:
            for place, kept in enumerate(installer.kept.of(app, role)):
                stays = place < keep or kept.install_time > since
                staying += [kept] * stays
                doomed += [(app, kept)] * (not stays)
    items = [_release(app, kept) for app, kept in doomed]
    for app, kept in doomed if remove else ():
        installer.kept.remove(app, kept)
    return (*items, *_wheels(installer, staying, remove=remove))


def _wheels(
    installer: Installer, staying: list[KeptRelease], *, remove: bool
) -> Iterator[PrunedItem]:
    wanted = {wheel.sha256 for kept in staying for wheel in _needed(installer, kept)}
    for folder in sorted(installer.resolver.store.folder.glob("?" * 64)):
        if folder.name in wanted or folder.stat().st_mtime > time.time() - _SETTLING_S:
            continue
        yield _wheel(folder)
        if remove:
            shutil.rmtree(folder, ignore_errors=True)


def _needed(installer: Installer, kept: KeptRelease) -> Iterator[Wheel]:
    resolver = installer.resolver
    yield from kept.own_wheels
    for platform in resolver.house.platforms():
        plain = (*kept.own_wheels, *resolver.house.stored(kept.lock, platform))
        yield from plain
        yield from resolver.compiled.stored(plain, platform)


def _release(app: str, kept: KeptRelease) -> PrunedItem:
    detail = f"{app}, {kept.role.value}"
    return PrunedItem(kind=PrunedKind.RELEASE, item=kept.release.digest, detail=detail)


def _wheel(folder: Path) -> PrunedItem:
    files = [path for path in folder.iterdir() if path.is_file()]
    size = sum(path.stat().st_size for path in files)
    names = ", ".join(path.name for path in files)
    return PrunedItem(kind=PrunedKind.STORED_WHEEL, item=names, size_bytes=size)
