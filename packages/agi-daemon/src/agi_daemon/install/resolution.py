"""The release of an app's current sources, and the builds of it that platforms would get."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Sequence
from enum import Enum
from pathlib import Path

from attrs import evolve, frozen

from agi_daemon.install.compiled_wheels import CompiledWheels
from agi_daemon.install.declarations import Declarations
from agi_daemon.install.host_agent import BuildOrder, OnStep
from agi_daemon.install.host_platform import HostPlatform
from agi_daemon.install.lock import Lock, LockFiles
from agi_daemon.install.native import FLAGS, NativeWheels, NativeWorker
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
from agi_daemon.transport.host_transport import HostTransport
from agi_daemon.transport.local import LocalTransport
from agi_env.app import App
from agi_env.mode import Mode
from agi_env.paths import host_root, wheels_dir

_NEEDS_BUILDING = Mode.CYTHON | Mode.CLUSTER | Mode.RAPIDS
_EXTRAS = ((Mode.CLUSTER, "cluster"), (Mode.RAPIDS, "rapids"))
_WORKERS_ONLY = Mode.CYTHON | Mode.RAPIDS
"""Bits that mean nothing to the side that names the partitions."""


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
        native: The worker package, where it is to be compiled; none in other modes.
        verify: Modules that must import in a build of it.
        requires_python: The versions of Python that the app takes.
        modes_enabled: The capabilities that are staged.
    """

    app: App
    role: Role
    release: Release
    lock: Lock
    own_wheels: tuple[Wheel, ...]
    native: NativeWorker | None
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
        return BuildOrder(
            self.release,
            platform,
            wheels,
            self.verify,
            kind=kind,
            compiled=self.native.package if self.native else "",
            devices=Mode.RAPIDS in self.modes_enabled,
        )

    def lacks(self, modes: Mode) -> Mode:
        """Capabilities that would have to be built in and are not."""
        return _staged(modes, self.role) & _NEEDS_BUILDING & ~self.modes_enabled


@frozen
class _Sources:
    modes: Mode
    app: tuple[SourceFile, ...]
    runtime: PureWheel
    own_wheels: tuple[Wheel, Wheel]
    declared: Declarations
    verify: tuple[str, ...]
    worker: Wheel | None
    """The wheel of the worker package alone, where that is to be compiled."""

    @property
    def tools(self) -> Declarations:
        """What compiling takes; without the extras of the mode, for it is the same in all."""
        return evolve(self.declared, extras=("cython",))


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
        self.natives = NativeWheels(self.house, LocalTransport(host_root(state)))
        """Compiled workers."""
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
        modes = _staged(modes_enabled, role)
        async with self._turn[app.name]:
            sources = await asyncio.to_thread(self._read, app, modes, role)
            lock = await self._lock(app, role, sources, sources.declared, upgrade)
            tools = None
            if sources.worker is not None:
                tools = await self._lock(app, role, sources, sources.tools, upgrade)
        return _resolved(app, role, sources, lock, tools)

    async def recall(self, app: App, *, modes_enabled: Mode, role: Role) -> Resolved | None:
        """The release of the app's current sources, if its dependencies are locked already.

        Raises:
            AppInvalidError: The declarations of the app cannot be read.
            DiskFullError: There is no room for a wheel.
        """
        modes = _staged(modes_enabled, role)
        sources = await asyncio.to_thread(self._read, app, modes, role)
        lock = self._locks.kept(app.name, role.value, sources.declared)
        tools = self._locks.kept(app.name, role.value, sources.tools)
        if lock is None or (sources.worker is not None and tools is None):
            return None
        return _resolved(app, role, sources, lock, tools)

    def offers(self, resolved: Resolved) -> list[BuildOrder]:
        """The builds of a release, for the platforms whose wheels are all stored."""
        known = [(p, self._recalled(resolved, p)) for p in self.house.platforms()]
        return [resolved.order(p, wheels) for p, wheels in known if wheels is not None]

    async def order(
        self,
        resolved: Resolved,
        platform: HostPlatform,
        host: HostTransport,
        *,
        on_fetch: OnFetch = lambda _: None,
        on_step: OnStep = lambda *_: None,
    ) -> BuildOrder:
        """The build of a release for a platform; wheels that are not stored are had now.

        Args:
            resolved: The release.
            platform: That of the host.
            host: The host, on which a worker is compiled that cannot be compiled here.
            on_step: Called with each step of compiling.
            on_fetch: Called with names and versions of what is fetched, unless another call did it.

        Raises:
            WheelsFailedError: A wheel cannot be had.
            CompilerMissingError, CompileFailedError: The worker cannot be compiled.
        """
        self.house.meet(platform)
        locked = await self.house.collect(resolved.lock, platform, on_fetch)
        wheels = await self.compiled.ensure(resolved.lasting(locked), platform)
        if resolved.native is not None:
            native = await self.natives.ensure(resolved.native, platform, host, on_step)
            wheels = (*wheels, native)
        return resolved.order(platform, wheels)

    def uncompiled(self, resolved: Resolved, platform: HostPlatform) -> bool:
        """Whether the worker would have to be compiled for a platform."""
        native = resolved.native
        return native is not None and self.natives.recall(native, platform) is None

    def _recalled(self, resolved: Resolved, platform: HostPlatform) -> tuple[Wheel, ...] | None:
        locked = self.house.recall(resolved.lock, platform)
        if locked is None:
            return None
        wheels = self.compiled.recall(resolved.lasting(locked), platform)
        if resolved.native is None or wheels is None:
            return wheels
        native = self.natives.recall(resolved.native, platform)
        return None if native is None else (*wheels, native)

    async def _lock(
        self, app: App, role: Role, sources: _Sources, declared: Declarations, upgrade: bool
    ) -> Lock:
        return await self._locks.ensure(
            app.name,
            role.value,
            declared,
            runtime_wheel=self.store.path(sources.own_wheels[1]),
            upgrade=upgrade,
        )

    def _read(self, app: App, modes: Mode, role: Role) -> _Sources:
        files, runtime = self._digests.packages(app.source), runtime_wheel(self._digests)
        worker, pure = None, files
        if Mode.CYTHON in modes:
            inside = tuple(f for f in files if f.name.startswith(f"{app.worker_source.name}/"))
            pure = tuple(file for file in files if file not in inside)
            worker = app_wheel(app.target, inside, "worker_app").stored_in(self.store)
        own = app_wheel(app.target, pure)
        return _Sources(
            modes=modes,
            app=files,
            runtime=runtime,
            own_wheels=(own.stored_in(self.store), runtime.stored_in(self.store)),
            worker=worker,
            declared=_declarations(app, modes, role),
            verify=("agi_env.runtime", *_modules(app, role)),
        )


def _declarations(app: App, modes: Mode, role: Role) -> Declarations:
    worker = role is Role.WORKER
    own = app.worker_pyproject
    return Declarations(
        dependencies=app.worker_dependencies() if worker else app.manager_dependencies(),
        runtime=runtime_requirements(),
        extras=tuple(name for bit, name in _EXTRAS if bit in modes),
        requires_python=app.requires_python,
        source=str(own if worker and own.is_file() else app.pyproject),
    )


def _modules(app: App, role: Role) -> tuple[str, ...]:
    """Modules to verify: both sides where one build serves both, for it is then one release."""
    if sorted(app.manager_dependencies()) == sorted(app.worker_dependencies()):
        return (app.manager_module, app.worker_module)
    return (app.worker_module if role is Role.WORKER else app.manager_module,)


def _staged(modes_enabled: Mode, role: Role) -> Mode:
    """The bits that mean something to a role."""
    return modes_enabled if role is Role.WORKER else modes_enabled & ~_WORKERS_ONLY


def _resolved(app: App, role: Role, sources: _Sources, lock: Lock, tools: Lock | None) -> Resolved:
    native = _native(app, sources, tools)
    return Resolved(
        app=app,
        role=role,
        release=_release(sources, lock, native),
        lock=lock,
        own_wheels=sources.own_wheels,
        native=native,
        verify=sources.verify,
        requires_python=sources.declared.requires_python,
        modes_enabled=sources.modes,
    )


def _native(app: App, sources: _Sources, tools: Lock | None) -> NativeWorker | None:
    if sources.worker is None or tools is None:
        return None
    package, python = app.worker_source.name, sources.declared.requires_python
    return NativeWorker(package, sources.worker, tools, python)


def _release(sources: _Sources, lock: Lock, native: NativeWorker | None) -> Release:
    inputs = {f"app: src/{file.name}": file.digest for file in sources.app}
    if native is not None:
        inputs["compilers"] = digest_of([native.tools.digest, FLAGS])
    return Release(
        {
            **inputs,
            "dependencies": lock.digest,
            "runtime": sources.runtime.digest,
            "python": sources.declared.requires_python,
            "modes": str(int(sources.modes & _NEEDS_BUILDING)),
            "modules": digest_of(sources.verify),
        }
    )
