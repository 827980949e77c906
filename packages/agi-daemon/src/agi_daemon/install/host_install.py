"""One release on one host: looked for, and made if it is not there."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping, Sequence
from typing import Any

from attrs import frozen
from packaging.specifiers import SpecifierSet

from agi_daemon.install.host_agent import BuildOrder, HostAgent, HostCheck, HostFacts
from agi_daemon.install.outcome import Build, HostOutcome, Phase, Progress, Report
from agi_daemon.install.resolution import Resolved, Resolver
from agi_daemon.transport.host_transport import HostTransport
from agi_env.errors import (
    AgiError,
    HostConnectionLostError,
    NotInstalledError,
    PythonMismatchError,
)

_PAUSES_S = (0.1, 1.0)
"""Before an install is repeated whose connection broke: each step of it may be done twice."""


@frozen(kw_only=True)
class Wanted:
    """What is to be on each host.

    Attributes:
        resolved: The release.
        changed: Inputs that differ from the release installed last, for messages.
        offers: Its builds for the platforms whose wheels are there.
        idle_s: Seconds for which a step of a build may do nothing.
    """

    resolved: Resolved
    changed: tuple[str, ...]
    offers: Sequence[BuildOrder]
    idle_s: float


class HostInstall:
    """The install of one release on one host.

    Args:
        wanted: The release.
        host: The way to the host.
        resolver: Where the wheels come from.
        report: Called after each side effect.
    """

    def __init__(
        self, wanted: Wanted, host: HostTransport, resolver: Resolver, report: Report
    ) -> None:
        self._wanted, self._resolved, self._resolver = wanted, wanted.resolved, resolver
        self._host, self._agent = host.host, HostAgent(host, wanted.idle_s)
        self._tell = report
        self._began = time.monotonic()

    async def outcome(self, realise: bool) -> HostOutcome:
        """How it ended; an error of the catalogue is part of it."""
        try:
            return await self._repeated(realise)
        except AgiError as error:
            self._report(Phase.FAILED, detail=str(error))
            return HostOutcome(self._host, error=error, seconds=self._seconds())

    async def _repeated(self, realise: bool) -> HostOutcome:
        """The install, begun again where the connection broke: what was done is found done."""
        for pause in _PAUSES_S:
            try:
                return await self._install(realise)
            except HostConnectionLostError as error:
                self._report(Phase.REPEATED, detail=error.what)
                await asyncio.sleep(pause)
        return await self._install(realise)

    async def _install(self, realise: bool) -> HostOutcome:
        check = await self._check(self._wanted.offers)
        if check.built:
            key = check.facts.platform.key
            order = next(o for o in self._wanted.offers if o.platform.key == key)
            self._report(Phase.UNCHANGED, detail=order.digest)
            return self._ready(order, check, unchanged=True)
        if not realise:
            raise self._not_installed(check)
        order = await self._collect(check)
        if check.path is None:
            check = await self._check([order])
        return await self._realise(order, check)

    async def _check(self, offers: Sequence[BuildOrder]) -> HostCheck:
        check = await self._agent.check(offers)
        _require_python(self._resolved.requires_python, check.facts, self._host)
        self._report(Phase.CHECKED, detail=check.drift)
        return check

    async def _collect(self, check: HostCheck) -> BuildOrder:
        return await self._resolver.order(
            self._resolved,
            check.facts.platform,
            lambda names: self._report(Phase.COLLECTING, wheels=names),
        )

    async def _realise(self, order: BuildOrder, check: HostCheck) -> HostOutcome:
        names = tuple(wheel.filename for wheel in check.missing)
        size = sum(wheel.size for wheel in check.missing)
        self._report(Phase.SHIPPING, wheels=names, size_bytes=size)
        await self._agent.realise(order, check.missing, self._resolver.store, self._step)
        self._report(Phase.READY, detail=order.digest)
        return self._ready(order, check, shipped=names, size=size)

    def _ready(
        self,
        order: BuildOrder,
        check: HostCheck,
        *,
        unchanged: bool = False,
        shipped: tuple[str, ...] = (),
        size: int = 0,
    ) -> HostOutcome:
        assert check.path is not None
        return HostOutcome(
            host=self._host,
            build=Build(self._host, order.digest, check.path),
            facts=check.facts,
            unchanged=unchanged,
            drift=check.drift,
            shipped=shipped,
            shipped_bytes=size,
            seconds=self._seconds(),
        )

    def _not_installed(self, check: HostCheck) -> NotInstalledError:
        changed = ", ".join(self._wanted.changed)
        drift = f"{check.drift} (drifted)" if check.drift else ""
        reason = changed or drift or "it was never installed there"
        app = self._resolved.app.name
        return NotInstalledError(
            f"the current sources of {app} are not installed: {reason}",
            where=self._host,
            remedy=f"`agi install {app}` installs what changed",
            metadata={"host": self._host, "app": app, "changed": changed},
        )

    def _step(self, step: str, facts: Mapping[str, Any]) -> None:
        self._report(Phase.REALISING, detail=" ".join([step, *map(str, facts.values())]))

    def _report(
        self, phase: Phase, *, detail: str = "", wheels: tuple[str, ...] = (), size_bytes: int = 0
    ) -> None:
        self._tell(Progress(phase, self._host, detail, wheels, size_bytes))

    def _seconds(self) -> float:
        return time.monotonic() - self._began


def _require_python(requires: str, facts: HostFacts, host: str) -> None:
    python = facts.platform.python
    for wanted in (requires, ">=3.11"):
        if not SpecifierSet(wanted).contains(python, prereleases=True):
            raise PythonMismatchError(
                f"Python {python} does not satisfy {wanted}",
                where=host,
                metadata={"host": host, "python": python, "requires_python": wanted},
            )
