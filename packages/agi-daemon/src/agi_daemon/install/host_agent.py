"""Asking a host's own Python to look and to build, through nothing but the transport."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from pathlib import PurePosixPath
from typing import Any, TypeVar

from attrs import frozen

from agi_daemon.install.host_abilities import HostAbilities, HostFacts
from agi_daemon.install.host_platform import HostPlatform
from agi_daemon.install.on_host import CHECK, COMPILE, CYTHONIZE, PROBE, REALISE
from agi_daemon.install.release import Release, digest_of
from agi_daemon.install.wheel_store import Wheel, WheelStore
from agi_daemon.transport.host_program import answer_of, command, source_of
from agi_daemon.transport.host_transport import Completed, HostTransport
from agi_env.errors import BuildFailedError

_CHECK_DEADLINE_S = 60.0
_REALISE_DEADLINE_S = 3600.0

IDLE_S = 120.0
"""Seconds for which a step of a build may do nothing, until it is ended with all its processes."""

_TIMES_SILENT = 2  # the host itself sees first that a step is stuck, and names it

_ALIVE = "working"
"""What a host says now and then while a step takes its time: it moves, and is no news."""

_COMPILE_MARGIN_S = 60.0
_FETCH_DEADLINE_S = 600.0
_LARGEST_WHEEL_BYTES = 512 * 1024 * 1024

Value = TypeVar("Value")
OnStep = Callable[[str, Mapping[str, Any]], None]


@frozen
class BuildOrder:
    """A build as it is to be on one platform.

    Attributes:
        release: What it realises.
        platform: What it is for.
        wheels: All that is installed in it.
        verify: Modules that must import in it.
        compiled: The package of which every imported module must be an extension; empty: none.
        devices: A kernel must run on every GPU of the host.
        bytecode: Its modules are compiled to bytecode; not worth it for what compiles, once.
        kind: Which side of which app it is of: builds of one kind replace each other.
    """

    release: Release
    platform: HostPlatform
    wheels: tuple[Wheel, ...]
    verify: tuple[str, ...]
    compiled: str = ""
    devices: bool = False
    bytecode: bool = True
    kind: str = ""

    @property
    def digest(self) -> str:
        """The name of the build, equal on hosts of equal platform."""
        hashes = sorted(wheel.sha256 for wheel in self.wheels)
        return digest_of([self.release.digest, self.platform.key, hashes, "build.v1"])

    def to_json(self) -> dict[str, Any]:
        """What the host has to know to make it."""
        return {
            "build": self.digest,
            "release": self.release.to_json(),
            "platform": self.platform.key,
            "wheels": [wheel.to_json() for wheel in self.wheels],
            "verify": list(self.verify),
            "kind": self.kind,
            "compiled": self.compiled,
            "devices": self.devices,
            "bytecode": self.bytecode,
        }


@frozen
class CompileOrder:
    """A package to compile.

    Attributes:
        sources: The pure wheel that carries it.
        package: Its name.
        flags: Those of the C compiler.
        limit_s: Seconds after which compiling is ended.
    """

    sources: Wheel
    package: str
    flags: tuple[str, ...]
    limit_s: float

    def to_json(self) -> dict[str, Any]:
        """What the host has to know to compile it."""
        return {
            "sources": self.sources.to_json(),
            "package": self.package,
            "flags": list(self.flags),
            "limit_s": self.limit_s,
        }


@frozen
class HostCheck:
    """The answer to one look at a host.

    Attributes:
        facts: What it says about itself.
        built: The build offered for its platform is there, as it was made.
        path: Where that build is or would be; nothing when none was offered for its platform.
        missing: Wheels of the offer that are not there.
        drift: The first file of the build that is no more as it was made.
    """

    facts: HostFacts
    built: bool
    path: PurePosixPath | None
    missing: tuple[Wheel, ...]
    drift: str


class HostAgent:
    """Our part on one host, sent there each time it is needed.

    Args:
        transport: The way to the host.
        idle_s: Seconds for which a step of a build may do nothing.
    """

    def __init__(self, transport: HostTransport, idle_s: float = IDLE_S) -> None:
        self._transport = transport
        self._idle_s = idle_s

    async def check(self, offers: Sequence[BuildOrder]) -> HostCheck:
        """Look, in one round trip; at most one offer for each platform.

        Raises:
            AgiError: The host cannot be asked; the code says why.
        """
        request = {"offers": {offer.platform.key: offer.to_json() for offer in offers}}
        done = await self._transport.run(
            command(self._transport),
            stdin=CHECK.prelude(self._transport, request),
            deadline_s=_CHECK_DEADLINE_S,
        )
        answer = self._answer(done)
        return self._read(lambda: self._check_from(answer, offers))

    async def probe(self) -> HostAbilities:
        """What the host can do beyond plain Python, in one round trip.

        Raises:
            AgiError: The host cannot be asked; the code says why.
        """
        done = await self._transport.run(
            command(self._transport),
            stdin=PROBE.prelude(self._transport, {}),
            deadline_s=_CHECK_DEADLINE_S,
        )
        answer = self._answer(done)
        return self._read(lambda: HostAbilities.from_json(self._transport.host, answer))

    async def realise(
        self, order: BuildOrder, missing: Sequence[Wheel], store: WheelStore, on_step: OnStep
    ) -> PurePosixPath:
        """Ship the missing wheels and make the build, in one stream.

        Args:
            order: The build.
            missing: The wheels to ship.
            store: Where they are here.
            on_step: Called with the name and the facts of each step that the host begins.

        Returns:
            Where the build is on the host.

        Raises:
            AgiError: It could not be made; nothing that was there is changed.
        """
        shipped = [wheel.to_json() for wheel in missing]
        request = {**order.to_json(), "shipped": shipped, "idle_s": self._idle_s}
        done = await self._transport.run(
            command(self._transport),
            stdin=_stream(REALISE.prelude(self._transport, request), missing, store),
            deadline_s=_REALISE_DEADLINE_S,
            idle_s=_TIMES_SILENT * self._idle_s,
            on_line=lambda line: _tell(line, on_step),
        )
        return PurePosixPath(self._answer(done)["path"])

    async def compile(
        self, order: CompileOrder, python: PurePosixPath, store: WheelStore, on_step: OnStep
    ) -> Wheel:
        """Compile a package on the host and fetch the wheel that came of it.

        Args:
            order: What to compile.
            python: An interpreter on the host that has Cython and setuptools.
            store: Where the sources are here, and where the wheel goes.
            on_step: Called with the name and the facts of each step that the host begins.

        Raises:
            CompilerMissingError: The host has no compiler.
            CompileFailedError: The sources do not compile; it names their line.
            AgiError: The host cannot be asked.
        """
        request = {**order.to_json(), "python": str(python), "program": source_of(CYTHONIZE)}
        done = await self._transport.run(
            command(self._transport),
            stdin=_stream(COMPILE.prelude(self._transport, request), [order.sources], store),
            deadline_s=order.limit_s + _COMPILE_MARGIN_S,
            on_line=lambda line: _tell(line, on_step),
        )
        answer = self._answer(done)
        wheel = self._read(lambda: _compiled_from(order.sources, answer["wheel"]))
        return await self._fetched(wheel, store)

    async def _fetched(self, wheel: Wheel, store: WheelStore) -> Wheel:
        path = self._transport.root / "wheels" / wheel.sha256 / wheel.filename
        content = await self._transport.read_file(
            path, deadline_s=_FETCH_DEADLINE_S, max_bytes=_LARGEST_WHEEL_BYTES
        )
        fetched = await asyncio.to_thread(store.put, wheel.filename, content)
        if fetched != wheel:
            host = self._transport.host
            raise BuildFailedError(f"{wheel.filename} arrived damaged", where=host)
        return fetched

    def _check_from(self, answer: Mapping[str, Any], offers: Sequence[BuildOrder]) -> HostCheck:
        facts = HostFacts.from_json(answer["facts"])
        offered = {wheel for offer in offers for wheel in offer.wheels}
        missing = tuple(map(Wheel.from_json, answer["missing"]))
        # A host gets what is for it and nothing else of this machine, whatever it asks for.
        if not offered.issuperset(missing):
            raise BuildFailedError("it asks for what is not offered", where=self._transport.host)
        return HostCheck(
            facts=facts,
            built=answer["built"],
            path=PurePosixPath(answer["path"]) if answer["path"] else None,
            missing=missing,
            drift=answer["drift"],
        )

    def _read(self, reading: Callable[[], Value]) -> Value:
        """What an answer comes to; names in it become paths here, so it is read with suspicion."""
        try:
            return reading()
        except (LookupError, TypeError, ValueError) as error:
            what = f"its answer cannot be used: {error}"
            raise BuildFailedError(what, where=self._transport.host) from error

    def _answer(self, done: Completed) -> dict[str, Any]:
        return answer_of(done, self._transport.host, silent=BuildFailedError)


def _compiled_from(sources: Wheel, value: Sequence[Any]) -> Wheel:
    """The wheel that was compiled from another, of the same name and version."""
    wheel = Wheel.from_json(value)
    if wheel.filename.split("-")[:2] != sources.filename.split("-")[:2]:
        raise ValueError(f"{wheel.filename} is not compiled from {sources.filename}")
    return wheel


async def _stream(
    prelude: bytes, wheels: Sequence[Wheel], store: WheelStore
) -> AsyncIterator[bytes]:
    yield prelude
    for wheel in wheels:
        async for piece in store.read(wheel):
            yield piece


def _tell(line: bytes, on_step: OnStep) -> None:
    value = json.loads(line)
    if value.get("step", _ALIVE) != _ALIVE:
        on_step(value.pop("step"), value)
