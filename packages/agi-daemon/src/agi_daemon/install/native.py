"""The compiled worker package: made once for each platform, from sources and locked tools."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Iterator, Mapping
from pathlib import PurePosixPath
from typing import Any, Self

from attrs import frozen

from agi_daemon.install.host_agent import BuildOrder, CompileOrder, HostAgent, OnStep
from agi_daemon.install.host_platform import HostPlatform
from agi_daemon.install.lock import Lock
from agi_daemon.install.release import Release, digest_of
from agi_daemon.install.wheel_store import Wheel
from agi_daemon.install.wheelhouse import Wheelhouse, own_platform
from agi_daemon.transport.host_transport import HostTransport
from agi_env.errors import CompilerMissingError

FLAGS = ("-O3", "-g0")
"""What the C compiler is told; nothing that would tie the code to one model of processor."""

LIMIT_S = 1200.0
"""Seconds that compiling one package may take."""


@frozen
class NativeWorker:
    """A worker package that is to be compiled.

    Attributes:
        package: Its name.
        sources: The pure wheel that carries it.
        tools: The locked dependencies of the worker, with Cython and setuptools.
        requires_python: The versions of Python that the app takes.
    """

    package: str
    sources: Wheel
    tools: Lock
    requires_python: str

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> Self:
        """The package that ``to_json`` told of."""
        tools = Lock.parse(value["tools"])
        sources = Wheel.from_json(value["sources"])
        return cls(value["package"], sources, tools, value["requires_python"])

    def to_json(self) -> dict[str, Any]:
        """What has to be kept of it, to compile it again."""
        return {
            "package": self.package,
            "sources": self.sources.to_json(),
            "tools": self.tools.text,
            "requires_python": self.requires_python,
        }

    @property
    def digest(self) -> str:
        """Equal for what compiles to the same code on one platform."""
        return digest_of(["native.v1", self.sources.sha256, self.tools.digest, FLAGS])

    def need(self, platform: HostPlatform) -> str:
        """The name under which the wheel for a platform is remembered."""
        return digest_of([self.digest, platform.tag])

    def toolchain(self, platform: HostPlatform, wheels: tuple[Wheel, ...]) -> BuildOrder:
        """A build that has what compiling takes, and nothing of the app."""
        release = Release({"tools": self.tools.digest, "python": self.requires_python})
        modules = ("Cython.Build", "setuptools")
        return BuildOrder(release, platform, wheels, modules, bytecode=False)


class NativeWheels:
    """The wheels of compiled worker packages, on the manager.

    Args:
        house: The wheels of locks, and the store of all wheels.
        here: The way to this machine, which compiles for its own platform.
    """

    def __init__(self, house: Wheelhouse, here: HostTransport) -> None:
        self._house = house
        self._store = house.store
        self._here = here
        self._turn: dict[str, asyncio.Lock] = defaultdict(asyncio.Lock)

    def recall(self, native: NativeWorker, platform: HostPlatform) -> Wheel | None:
        """The wheel for a platform, if it was made before."""
        return self._store.recall(native.need(platform))

    async def ensure(
        self, native: NativeWorker, platform: HostPlatform, host: HostTransport, on_step: OnStep
    ) -> Wheel:
        """The wheel for a platform, made here where that is possible, else on the host.

        Args:
            native: The package.
            platform: That of the host.
            host: The host that needs it.
            on_step: Called with each step of making it.

        Raises:
            CompilerMissingError: Neither this machine nor the host can compile for it.
            CompileFailedError: The sources do not compile; it names their line.
            WheelsFailedError: Cython, setuptools or a dependency cannot be had.
        """
        async with self._turn[platform.tag]:  # a second host of the platform finds it stored
            wheel = self.recall(native, platform)
            if wheel is None:
                wheel = await self._made(native, platform, host, on_step)
                self._store.remember(native.need(platform), wheel)
            return wheel

    async def _made(
        self, native: NativeWorker, platform: HostPlatform, host: HostTransport, on_step: OnStep
    ) -> Wheel:
        missing: CompilerMissingError | None = None
        for place in self._makers(platform, host):
            try:
                return await self._make(native, HostAgent(place), on_step)
            except CompilerMissingError as error:
                missing = error
        assert missing is not None
        raise missing

    def _makers(self, platform: HostPlatform, host: HostTransport) -> Iterator[HostTransport]:
        if platform.tag == own_platform().tag:
            yield self._here
        if host.host != self._here.host:
            yield host

    async def _make(self, native: NativeWorker, agent: HostAgent, on_step: OnStep) -> Wheel:
        python = await self._toolchain(native, agent, on_step)
        order = CompileOrder(native.sources, native.package, FLAGS, LIMIT_S)
        return await agent.compile(order, python, self._store, on_step)

    async def _toolchain(
        self, native: NativeWorker, agent: HostAgent, on_step: OnStep
    ) -> PurePosixPath:
        platform = (await agent.check([])).facts.platform
        wheels = await self._house.collect(native.tools, platform)
        order = native.toolchain(platform, wheels)
        check = await agent.check([order])
        if not check.built:
            await agent.realise(order, check.missing, self._store, on_step)
        assert check.path is not None
        return check.path / "bin" / "python"
