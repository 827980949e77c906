"""One diagnosis: what all its hosts have in common, asked once and when first needed."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Awaitable, Mapping
from contextlib import AsyncExitStack
from pathlib import Path
from types import TracebackType
from typing import Self, TypeVar

from attrs import frozen

from agi_cluster.model.run import Run
from agi_daemon.apps.registry import Apps
from agi_daemon.apps.resolution import Resolution, resolve
from agi_daemon.doctor.build import CurrentRelease
from agi_daemon.doctor.once import Once
from agi_daemon.doctor.scheduler import Listener, listening
from agi_daemon.doctor.share import Sentinel, sentinel_on
from agi_daemon.doctor.ways import Ways
from agi_daemon.install.installer import Installer
from agi_daemon.install.resolution import Role
from agi_daemon.runs.cluster_settings import ClusterSettings
from agi_daemon.runs.runs import Runs
from agi_env.app import App
from agi_env.errors import HostCommandTimeoutError
from agi_env.mode import Mode
from agi_env.paths import cluster_share, local_share
from agi_env.runtime.port_range import PortRange

Answer = TypeVar("Answer")

_OPEN_S = 2.5
"""Seconds for what one machine does for all: shorter than a rung, so that each is not blamed."""

_RUNS = 100


@frozen(kw_only=True)
class Records:
    """What the doctor knows without asking anybody.

    Attributes:
        apps: The apps and their settings.
        runs: The runs.
        installer: What is installed.
        cluster: How runs in cluster modes meet.
        environ: Where the shares are, as the daemon's environment says.
    """

    apps: Apps
    runs: Runs
    installer: Installer
    cluster: ClusterSettings
    environ: Mapping[str, str] = os.environ


class Case:
    """A diagnosis under way; a context, at whose end nothing of it is left on any machine.

    Args:
        records: What is known.
        ways: How hosts are reached.
        app: The app that it is about; None: machines alone.
    """

    def __init__(self, records: Records, ways: Ways, app: App | None) -> None:
        self._records = records
        self.ways = ways
        self.app = app
        self._open = AsyncExitStack()
        self.resolution = Once(self._resolve)
        self.release = Once(self._release)
        self.sentinel = Once(self._sentinel)
        self.listener = Once(self._listener)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self._open.aclose()

    @property
    def share(self) -> Path | None:
        """The cluster share; None where none is set."""
        return cluster_share(self._records.environ)

    async def runs(self) -> list[Run]:
        """The app's runs, newest first."""
        assert self.app
        page = await self._records.runs.list_runs(app=self.app.name, page_size=_RUNS)
        return list(page.items)

    async def _resolve(self) -> Resolution:
        """What a run would mean now; cores do not matter for that."""
        assert self.app
        _, snapshot = await self._records.apps.read_settings(str(self.app.root), dry_run=True)
        return resolve(self.app, snapshot.settings, cores_of=lambda _: 1)

    async def _release(self) -> CurrentRelease:
        assert self.app
        modes = (await self.resolution()).modes_enabled
        installer = self._records.installer
        resolver = installer.resolver
        resolved = await resolver.recall(self.app, modes_enabled=modes, role=Role.WORKER)
        if resolved is None:
            return CurrentRelease(self.app.name)
        offers = await asyncio.to_thread(resolver.offers, resolved)
        changed = installer.changed_since_install(resolved)
        return CurrentRelease(self.app.name, resolved, tuple(offers), changed)

    async def _sentinel(self) -> Sentinel:
        assert self.share
        local = local_share(self._records.environ)
        offered = sentinel_on(self.share, local_share=local, deadline_s=_OPEN_S - 1)
        return await self._open.enter_async_context(offered)

    async def _listener(self) -> Listener:
        resolution = await self.resolution()
        spec = self._records.cluster.spec(resolution.scheduler)
        ports = PortRange.parse(spec.scheduler_ports)
        host = resolution.runner_host
        listener = listening(self.ways.transport(host), spec.scheduler_host, ports)
        return await _in_time(self._open.enter_async_context(listener), host)


def clustered(resolution: Resolution) -> bool:
    """The app runs on the cluster."""
    return Mode.CLUSTER in resolution.mode


async def _in_time(opening: Awaitable[Answer], host: str) -> Answer:
    try:
        return await asyncio.wait_for(opening, _OPEN_S)
    except TimeoutError:
        raise HostCommandTimeoutError(f"no answer in {_OPEN_S:g} s", where=host) from None
