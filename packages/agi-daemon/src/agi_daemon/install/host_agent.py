"""Asking a host's own Python to look and to build, through nothing but the transport."""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from functools import cache
from importlib import resources
from pathlib import PurePosixPath
from typing import Any

from attrs import frozen

from agi_daemon.install.host_abilities import HostAbilities, HostFacts
from agi_daemon.install.host_platform import HostPlatform
from agi_daemon.install.on_host import SENT
from agi_daemon.install.release import Release, digest_of
from agi_daemon.install.wheel_store import Wheel, WheelStore
from agi_daemon.transport.host_transport import Completed, HostTransport
from agi_env.errors import AgiError, BuildFailedError, error_from

_PACKAGE = "agi_daemon.install.on_host"
_CHECK_DEADLINE_S = 60.0
_REALISE_DEADLINE_S = 3600.0
_REALISE_IDLE_S = 1000.0  # longer than the longest step of a build may be silent
_COMPILE_MARGIN_S = 60.0
_FETCH_DEADLINE_S = 600.0
_LARGEST_WHEEL_BYTES = 512 * 1024 * 1024

_START = """
import json, sys
stream = sys.stdin.buffer
for name, source in json.loads(stream.readline()):
    module = sys.modules[name] = type(sys)(name)
    exec(compile(source, name, "exec"), module.__dict__)
module.main(stream)
"""

_IN_THE_APP = {"APP_IMPORT_FAILED", "COMPILE_FAILED"}
"""Errors of the app's own sources: where they are is the same on every host."""

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
    """

    release: Release
    platform: HostPlatform
    wheels: tuple[Wheel, ...]
    verify: tuple[str, ...]
    compiled: str = ""
    devices: bool = False
    bytecode: bool = True

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
    """

    def __init__(self, transport: HostTransport) -> None:
        self._transport = transport

    async def check(self, offers: Sequence[BuildOrder]) -> HostCheck:
        """Look, in one round trip; at most one offer for each platform.

        Raises:
            AgiError: The host cannot be asked; the code says why.
        """
        request = {"offers": {offer.platform.key: offer.to_json() for offer in offers}}
        done = await self._transport.run(
            _argv(self._transport.python),
            stdin=self._prelude("check", request),
            deadline_s=_CHECK_DEADLINE_S,
        )
        return _check_from(self._answer(done))

    async def probe(self) -> HostAbilities:
        """What the host can do beyond plain Python, in one round trip.

        Raises:
            AgiError: The host cannot be asked; the code says why.
        """
        done = await self._transport.run(
            _argv(self._transport.python),
            stdin=self._prelude("probe", {}),
            deadline_s=_CHECK_DEADLINE_S,
        )
        return HostAbilities.from_json(self._transport.host, self._answer(done))

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
        request = {**order.to_json(), "shipped": [wheel.to_json() for wheel in missing]}
        done = await self._transport.run(
            _argv(self._transport.python),
            stdin=_stream(self._prelude("realise", request), missing, store),
            deadline_s=_REALISE_DEADLINE_S,
            idle_s=_REALISE_IDLE_S,
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
        request = {
            "sources": order.sources.to_json(),
            "package": order.package,
            "python": str(python),
            "program": _text("cythonize"),
            "flags": list(order.flags),
            "limit_s": order.limit_s,
        }
        done = await self._transport.run(
            _argv(self._transport.python),
            stdin=_stream(self._prelude("compile", request), [order.sources], store),
            deadline_s=order.limit_s + _COMPILE_MARGIN_S,
            on_line=lambda line: _tell(line, on_step),
        )
        return await self._fetched(Wheel.from_json(self._answer(done)["wheel"]), store)

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

    def _prelude(self, command: str, request: Mapping[str, Any]) -> bytes:
        place = {"root": str(self._transport.root), "uv": self._transport.uv}
        return _modules(command) + json.dumps({**place, **request}).encode() + b"\n"

    def _answer(self, done: Completed) -> dict[str, Any]:
        host = self._transport.host
        lines = done.stdout.splitlines()
        if done.returncode or not lines:
            raise BuildFailedError(_last_words(done), where=host, metadata={"host": host})
        answer: dict[str, Any] = json.loads(lines[-1])
        if "error" in answer:
            raise _located(answer["error"], host)
        return answer


@cache
def _modules(command: str) -> bytes:
    sources = [(f"{_PACKAGE}.{name}", _text(name)) for name in SENT[command]]
    return json.dumps(sources).encode() + b"\n"


def _text(name: str) -> str:
    return resources.files(_PACKAGE).joinpath(f"{name}.py").read_text()


def _argv(python: str) -> list[str]:
    return [python or sys.executable, "-I", "-S", "-c", _START]


async def _stream(
    prelude: bytes, wheels: Sequence[Wheel], store: WheelStore
) -> AsyncIterator[bytes]:
    yield prelude
    for wheel in wheels:
        async for piece in store.read(wheel):
            yield piece


def _tell(line: bytes, on_step: OnStep) -> None:
    value = json.loads(line)
    if "step" in value:
        on_step(value.pop("step"), value)


def _check_from(answer: Mapping[str, Any]) -> HostCheck:
    return HostCheck(
        facts=HostFacts.from_json(answer["facts"]),
        built=answer["built"],
        path=PurePosixPath(answer["path"]) if answer["path"] else None,
        missing=tuple(map(Wheel.from_json, answer["missing"])),
        drift=answer["drift"],
    )


def _located(error: Mapping[str, Any], host: str) -> AgiError:
    facts = error["metadata"]
    where = facts["where"] if error["code"] in _IN_THE_APP else _on(host, facts["where"])
    return error_from(error["code"], {**facts, "where": where, "host": host})


def _on(host: str, where: str) -> str:
    return f"{host}:{where}" if where else host


def _last_words(done: Completed) -> str:
    lines = done.stderr.decode(errors="replace").strip().splitlines()
    return f"Python ended with {done.returncode}: {lines[-1] if lines else 'it said nothing'}"
