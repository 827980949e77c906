"""Asking a host's own Python to look and to build, through nothing but the transport."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from pathlib import PurePosixPath
from typing import Any

from attrs import frozen

from agi_daemon.install.host_platform import HostPlatform
from agi_daemon.install.on_host import CHECK, REALISE
from agi_daemon.install.release import Release, digest_of
from agi_daemon.install.wheel_store import Wheel, WheelStore
from agi_daemon.transport.host_program import answer_of, command
from agi_daemon.transport.host_transport import Completed, HostTransport
from agi_env.errors import BuildFailedError

_CHECK_DEADLINE_S = 60.0
_REALISE_DEADLINE_S = 3600.0

IDLE_S = 120.0
"""Seconds for which a step of a build may do nothing, until it is ended with all its processes."""

_TIMES_SILENT = 2  # the host itself sees first that a step is stuck, and names it

_ALIVE = "working"
"""What a host says now and then while a step takes its time: it moves, and is no news."""

OnStep = Callable[[str, Mapping[str, Any]], None]


@frozen
class HostFacts:
    """What a host said about itself."""

    platform: HostPlatform
    cores: int
    memory_bytes: int
    uv_version: str
    root: PurePosixPath


@frozen
class BuildOrder:
    """A build as it is to be on one platform.

    Attributes:
        release: What it realises.
        platform: What it is for.
        wheels: All that is installed in it.
        verify: Modules that must import in it.
        kind: Which side of which app it is of: builds of one kind replace each other.
    """

    release: Release
    platform: HostPlatform
    wheels: tuple[Wheel, ...]
    verify: tuple[str, ...]
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
        return _check_from(self._answer(done))

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

    def _answer(self, done: Completed) -> dict[str, Any]:
        return answer_of(done, self._transport.host, silent=BuildFailedError)


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


def _check_from(answer: Mapping[str, Any]) -> HostCheck:
    facts = answer["facts"]
    return HostCheck(
        facts=HostFacts(
            platform=HostPlatform.from_json(facts["platform"]),
            cores=facts["cores"],
            memory_bytes=facts["memory_bytes"],
            uv_version=facts["uv_version"],
            root=PurePosixPath(facts["root"]),
        ),
        built=answer["built"],
        path=PurePosixPath(answer["path"]) if answer["path"] else None,
        missing=tuple(Wheel(name, sha, size) for sha, name, size in answer["missing"]),
        drift=answer["drift"],
    )
