"""The release of an app's current sources, and the builds of it that platforms would get."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Sequence
from enum import Enum
from pathlib import Path

from attrs import frozen

from agi_daemon.install.compiled_wheels import CompiledWheels
from agi_daemon.install.declarations import Declarations
from agi_daemon.install.host_agent import BuildOrder
from agi_daemon.install.host_platform import HostPlatform
from agi_daemon.install.lock import Lock, LockFiles
from agi_daemon.install.pure_wheel import (
    PureWheel,
    app_wheel,
    runtime_requirements,
    runtime_wheel,
)
from agi_daemon.install.release import Release, digest_of
from agi_daemon.install.sources import SourceDigests, SourceFile
from agi_daemon.install.wheel_store import Wheel, WheelStore
from agi_daemon.install.wheelhouse import OnFetch, Wheelhouse
from agi_env.app import App
from agi_env.mode import Mode
from agi_env.paths import wheels_dir

_NEEDS_BUILDING = Mode.CYTHON | Mode.CLUSTER | Mode.RAPIDS


class Role(Enum):
    """Whose dependencies a build carries; equal declarations make equal builds."""

    MANAGER = "manager"
    WORKER = "worker"


@frozen
class Resolved:
    """A release with what is needed to realise it anywhere.

    Attributes:
        app: What it is a release of.
        role: Whose dependencies it carries.
        release: Its inputs.
        lock: Its dependencies.
        own_wheels: The app's wheel and the runtime's.
        verify: Modules that must import in a build of it.
        requires_python: The versions of Python that the app takes.
        modes_enabled: The capabilities that are staged.
    """

    app: App
    role: Role
    release: Release
    lock: Lock
    own_wheels: tuple[Wheel, ...]
    verify: tuple[str, ...]
    requires_python: str
    modes_enabled: Mode = Mode.PLAIN

    @property
    def app_wheel(self) -> Wheel:
        """The wheel that an edit of the app makes new: each host compiles its few modules."""
        return self.own_wheels[0]

    def lasting(self, locked: Sequence[Wheel]) -> tuple[Wheel, ...]:
        """All wheels but the app's, given those that the lock needs on a platform."""
        return tuple(sorted({*self.own_wheels[1:], *locked}))

    def order(self, platform: HostPlatform, lasting: Sequence[Wheel]) -> BuildOrder:
        """The build for a platform, given the wheels that it gets there beside the app's."""
        wheels = tuple(sorted({self.app_wheel, *lasting}))
        kind = f"{self.app.name}, {self.role.value}"
        return BuildOrder(self.release, platform, wheels, self.verify, kind)

    def lacks(self, modes: Mode) -> Mode:
        """Capabilities that would have to be built in and are not."""
        return modes & _NEEDS_BUILDING & ~self.modes_enabled


@frozen
class _Sources:
    app: tuple[SourceFile, ...]
    runtime: PureWheel
    own_wheels: tuple[Wheel, Wheel]
    declared: Declarations
    verify: tuple[str, ...]


class Resolver:
    """Finds out what the current sources are, and keeps the wheels they need.

    Args:
        state: The state directory, in which locks and wheels are kept.
    """

    def __init__(self, state: Path) -> None:
        self.store = WheelStore(wheels_dir(state))
        self.house = Wheelhouse(self.store)
        """What of the store is needed on which platform."""
        self.compiled = CompiledWheels(self.store)
        """What hosts get of it."""
        self._locks = LockFiles(state)
        self._digests = SourceDigests()
        self._turn: dict[str, asyncio.Lock] = defaultdict(asyncio.Lock)

    async def resolve(
        self, app: App, *, modes_enabled: Mode, role: Role, upgrade: bool = False
    ) -> Resolved:
        """The release of the app's current sources; no host is asked.

        Args:
            app: The app.
            modes_enabled: The capabilities to stage.
            role: Whose dependencies are meant.
            upgrade: Lock the newest versions of the dependencies.

        Raises:
            LockFailedError: The dependencies cannot be resolved.
            AppInvalidError: The declarations of the app cannot be read.
            DiskFullError: There is no room for a wheel or the lock.
        """
        async with self._turn[app.name]:
            sources = await asyncio.to_thread(self._read, app, modes_enabled, role)
            lock = await self._locks.ensure(
                app.name,
                role.value,
                sources.declared,
                runtime_wheel=self.store.path(sources.own_wheels[1]),
                upgrade=upgrade,
            )
        return _resolved(app, role, sources, lock, modes_enabled)

    async def recall(self, app: App, *, modes_enabled: Mode, role: Role) -> Resolved | None:
        """The release of the app's current sources, if its dependencies are locked already.

        Raises:
            AppInvalidError: The declarations of the app cannot be read.
            DiskFullError: There is no room for a wheel.
        """
        sources = await asyncio.to_thread(self._read, app, modes_enabled, role)
        lock = self._locks.kept(app.name, role.value, sources.declared)
        return None if lock is None else _resolved(app, role, sources, lock, modes_enabled)

    def offers(self, resolved: Resolved) -> list[BuildOrder]:
        """The builds of a release, for the platforms whose wheels are all stored."""
        known = [(p, self._recalled(resolved, p)) for p in self.house.platforms()]
        return [resolved.order(p, wheels) for p, wheels in known if wheels is not None]

    async def order(
        self, resolved: Resolved, platform: HostPlatform, on_fetch: OnFetch = lambda _: None
    ) -> BuildOrder:
        """The build of a release for a platform, its wheels collected if they are not stored.

        Args:
            resolved: The release.
            platform: The platform.
            on_fetch: Called with the requirements that are fetched, unless another call does it.

        Raises:
            WheelsFailedError: A wheel cannot be had.
        """
        self.house.meet(platform)
        locked = await self.house.collect(resolved.lock, platform, on_fetch)
        wheels = await self.compiled.ensure(resolved.lasting(locked), platform)
        return resolved.order(platform, wheels)

    def _recalled(self, resolved: Resolved, platform: HostPlatform) -> tuple[Wheel, ...] | None:
        locked = self.house.recall(resolved.lock, platform)
        if locked is None:
            return None
        return self.compiled.recall(resolved.lasting(locked), platform)

    def _read(self, app: App, modes: Mode, role: Role) -> _Sources:
        files, runtime = self._digests.packages(app.source), runtime_wheel(self._digests)
        own = app_wheel(app.target, files)
        return _Sources(
            app=files,
            runtime=runtime,
            own_wheels=(own.stored_in(self.store), runtime.stored_in(self.store)),
            declared=_declarations(app, modes, role),
            verify=("agi_env.runtime", *_modules(app, role)),
        )


def _declarations(app: App, modes: Mode, role: Role) -> Declarations:
    worker = role is Role.WORKER
    own = app.worker_pyproject
    return Declarations(
        dependencies=app.worker_dependencies() if worker else app.manager_dependencies(),
        runtime=runtime_requirements(),
        extras=("cluster",) if Mode.CLUSTER in modes else (),
        requires_python=app.requires_python,
        source=str(own if worker and own.is_file() else app.pyproject),
    )


def _modules(app: App, role: Role) -> tuple[str, ...]:
    """Modules to verify: both sides where one build serves both, for it is then one release."""
    if sorted(app.manager_dependencies()) == sorted(app.worker_dependencies()):
        return (app.manager_module, app.worker_module)
    return (app.worker_module if role is Role.WORKER else app.manager_module,)


def _resolved(app: App, role: Role, sources: _Sources, lock: Lock, modes: Mode) -> Resolved:
    return Resolved(
        app=app,
        role=role,
        release=_release(sources, lock, modes),
        lock=lock,
        own_wheels=sources.own_wheels,
        verify=sources.verify,
        requires_python=sources.declared.requires_python,
        modes_enabled=modes,
    )


def _release(sources: _Sources, lock: Lock, modes: Mode) -> Release:
    inputs = {f"app: src/{file.name}": file.digest for file in sources.app}
    return Release(
        {
            **inputs,
            "dependencies": lock.digest,
            "runtime": sources.runtime.digest,
            "python": sources.declared.requires_python,
            "modes": str(int(modes & _NEEDS_BUILDING)),
            "modules": digest_of(sources.verify),
        }
    )
