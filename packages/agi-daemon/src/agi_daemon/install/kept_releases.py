"""Earlier releases of apps, kept so that they can be realised again: rollback chooses one."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from attrs import evolve, frozen

from agi_daemon.install.lock import Lock
from agi_daemon.install.release import Release
from agi_daemon.install.resolution import Resolved, Role
from agi_daemon.install.wheel_store import Wheel
from agi_env.app import App
from agi_env.atomic_file import write_atomically
from agi_env.errors import ReleaseNotFoundError
from agi_env.mode import Mode
from agi_env.paths import private_directory

_SCHEMA = "agi.kept_release.v1"
_SHORTEST = 6
"""Digits of a digest that may stand for all of it, if no other release begins with them."""


@frozen(kw_only=True)
class KeptRelease:
    """A release that was installed, with all that is needed to realise it again.

    Attributes:
        role: Whose dependencies it carries.
        release: Its inputs.
        modes_enabled: The capabilities that were staged.
        lock: Its dependencies.
        own_wheels: The app's wheel and the runtime's, which are in the store.
        verify: Modules that must import in a build of it.
        requires_python: The versions of Python that the app took.
        install_time: When it was installed last.
    """

    role: Role
    release: Release
    modes_enabled: Mode
    lock: Lock
    own_wheels: tuple[Wheel, ...]
    verify: tuple[str, ...]
    requires_python: str
    install_time: datetime

    def resolved(self, app: App) -> Resolved:
        """The release, as it was resolved from the sources of then."""
        return Resolved(
            app=app,
            role=self.role,
            release=self.release,
            lock=self.lock,
            own_wheels=self.own_wheels,
            verify=self.verify,
            requires_python=self.requires_python,
            modes_enabled=self.modes_enabled,
        )

    def shares_sources(self, other: KeptRelease) -> bool:
        """Both are of the same sources of the app and of the runtime."""
        return _sources(self.release) == _sources(other.release)


class KeptReleases:
    """The releases of all apps, as ``<folder>/<app>/<role>/<digest>.json``.

    Args:
        folder: Where they are kept.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def keep(self, resolved: Resolved) -> None:
        """Keep a release that was installed now; one that is kept becomes the newest."""
        path = self._path(resolved.app.name, resolved.role, resolved.release.digest)
        try:
            os.utime(path)
        except FileNotFoundError:
            private_directory(path.parent)
            write_atomically(path, json.dumps(_facts(resolved), indent=1).encode())

    def apps(self) -> tuple[str, ...]:
        """The apps of which releases are kept, by name."""
        return tuple(sorted({path.parent.parent.name for path in self._folder.glob("*/*/*.json")}))

    def of(self, app: str, role: Role) -> tuple[KeptRelease, ...]:
        """The releases of an app, the one that was installed last first."""
        paths = (self._folder / app / role.value).glob("*.json")
        found = [kept for kept in map(_read, paths) if kept is not None]
        return tuple(sorted(found, key=lambda kept: kept.install_time, reverse=True))

    def find(self, app: App, digest: str, role: Role = Role.WORKER) -> KeptRelease:
        """The release of this digest, or the only one whose digest begins so.

        Args:
            app: The app.
            digest: The digest of a worker's release.
            role: Which side is meant: that of the manager is the one of the same sources.

        Raises:
            ReleaseNotFoundError: None is kept, or several begin so.
        """
        workers = self.of(app.name, Role.WORKER)
        fitting = [each for each in workers if each.release.digest.startswith(digest)]
        if len(fitting) != 1 or len(digest) < _SHORTEST:
            several = " only: several begin so" if len(fitting) > 1 else ""
            raise _unknown(app, f"no release of {app.name} is named {digest!r}{several}", digest)
        if role is Role.WORKER:
            return fitting[0]
        return self._manager_of(app, fitting[0])

    def remove(self, app: str, kept: KeptRelease) -> None:
        """Keep a release no longer."""
        self._path(app, kept.role, kept.release.digest).unlink(missing_ok=True)

    def _manager_of(self, app: App, worker: KeptRelease) -> KeptRelease:
        for kept in self.of(app.name, Role.MANAGER):
            if kept.shares_sources(worker):
                return kept
        if app.manager_module in worker.verify:  # one build serves both sides
            return evolve(worker, role=Role.MANAGER)
        what = f"the manager side of release {worker.release.digest[:12]} is not kept"
        raise _unknown(app, what, worker.release.digest)

    def _path(self, app: str, role: Role, digest: str) -> Path:
        return self._folder / app / role.value / f"{digest}.json"


def _unknown(app: App, what: str, digest: str) -> ReleaseNotFoundError:
    return ReleaseNotFoundError(
        what,
        remedy=f"`agi releases list {app.name}` shows those that are kept",
        metadata={"app": app.name, "release": digest},
    )


def _sources(release: Release) -> dict[str, str]:
    return {
        name: digest
        for name, digest in release.inputs.items()
        if name.startswith("app: ") or name == "runtime"
    }


def _facts(resolved: Resolved) -> dict[str, Any]:
    return {
        "schema": _SCHEMA,
        "release": resolved.release.to_json(),
        "role": resolved.role.value,
        "modes_enabled": int(resolved.modes_enabled),
        "lock": resolved.lock.text,
        "own_wheels": [wheel.to_json() for wheel in resolved.own_wheels],
        "verify": list(resolved.verify),
        "requires_python": resolved.requires_python,
    }


def _read(path: Path) -> KeptRelease | None:
    try:
        facts: Mapping[str, Any] = json.loads(path.read_bytes())
        installed = datetime.fromtimestamp(path.stat().st_mtime, UTC)
        return KeptRelease(
            role=Role(facts["role"]),
            release=Release.from_json(facts["release"]),
            modes_enabled=Mode(facts["modes_enabled"]),
            lock=Lock.parse(facts["lock"]),
            own_wheels=tuple(Wheel(name, sha, size) for sha, name, size in facts["own_wheels"]),
            verify=tuple(facts["verify"]),
            requires_python=facts["requires_python"],
            install_time=installed,
        )
    except (FileNotFoundError, ValueError, KeyError):  # removed meanwhile, or damaged: not kept
        return None
