"""Releases as the API offers them: those that can be installed again, and the end of the others."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Protocol

from agi_cluster.model.page import Page
from agi_cluster.model.release import (
    HostPruning,
    PrunedItem,
    PruneReleases,
    Release,
    ReleasePruning,
)
from agi_cluster.model.selection import THIS_MACHINE
from agi_daemon.apps.registry import Apps
from agi_daemon.completion import completed
from agi_daemon.hosts.hosts import Hosts
from agi_daemon.install.installer import Installer
from agi_daemon.install.kept_releases import KeptRelease
from agi_daemon.install.on_host import PRUNE
from agi_daemon.install.release import changed_inputs
from agi_daemon.install.resolution import Role
from agi_daemon.install.stored_wheels import prune_manager
from agi_daemon.resource_id import new_id
from agi_daemon.store import pages
from agi_daemon.store.codec import dump, load, structured
from agi_daemon.store.requests import Claim, Requests
from agi_daemon.store.store import Store
from agi_env.errors import AgiError

_DEADLINE_S = 270.0
_IDLE_S = 60.0


class RunsOnHosts(Protocol):
    """What runs need on hosts, and what of them is there for nothing."""

    def needed_builds(self, address: str) -> Sequence[str]:
        """Digests of the builds on a host that unsettled runs have been given."""
        ...

    def settled_before(self, time: datetime) -> Sequence[str]:
        """The ids of the runs that were settled before a time."""
        ...


class Releases:
    """Implements ``agi_cluster.model.services.ReleaseService``."""

    def __init__(
        self,
        *,
        store: Store,
        requests: Requests,
        apps: Apps,
        hosts: Hosts,
        installer: Installer,
        runs: RunsOnHosts,
    ) -> None:
        self._runs = runs
        self._store = store
        self._requests = requests
        self._apps = apps
        self._hosts = hosts
        self._installer = installer

    async def list_releases(
        self, app: str, *, page_size: int = 0, page_token: str = ""
    ) -> Page[Release]:
        """A page of the kept releases of an app, the one that was installed last first."""
        limit = pages.page_limit(page_size)
        name = (await self._apps.find(app, dry_run=True)).name
        kept = await asyncio.to_thread(self._installer.kept.of, name, Role.WORKER)
        start = int(pages.position_of(page_token, "releases", name) or 0)
        items = _shown(name, kept)[start : start + limit]
        more = len(kept) > start + limit
        token = pages.page_token(start + limit, "releases", name) if more else ""
        return Page(items=items, next_page_token=token)

    async def prune_releases(
        self, request: PruneReleases, *, request_id: str = "", validate_only: bool = False
    ) -> ReleasePruning:
        """Remove what nothing needs; what fails on a host is in its part of the answer."""
        async with self._requests.claim(request_id, "PruneReleases", request) as claim:
            if claim.earlier:
                return load(claim.earlier, ReleasePruning)
            addresses = await self._addresses(request.hosts)
            if validate_only:
                return await self._pruned(request, addresses, remove=False)
            return await completed(self._prune(request, addresses, claim))

    async def _prune(
        self, request: PruneReleases, addresses: Sequence[str], claim: Claim
    ) -> ReleasePruning:
        pruning = await self._pruned(request, addresses, remove=True)
        await self._store.write(lambda tx: claim.remember(tx, dump(pruning)))
        return pruning

    async def _pruned(
        self, request: PruneReleases, addresses: Sequence[str], *, remove: bool
    ) -> ReleasePruning:
        hosts = await asyncio.gather(
            *(self._pruned_host(request, address, remove=remove) for address in addresses)
        )
        return ReleasePruning(id=new_id("pruning"), hosts=tuple(hosts))

    async def _pruned_host(
        self, request: PruneReleases, address: str, *, remove: bool
    ) -> HostPruning:
        """What one host does; each for itself."""
        keep = max(1, request.keep)
        since = datetime.now(UTC) - timedelta(days=request.unused_days)
        asked = {
            "keep": keep,
            "unused_days": request.unused_days,
            "needed": self._runs.needed_builds(address),
            "runs": self._runs.settled_before(since),
            "remove": remove,
        }
        try:
            answer = await PRUNE.ask(
                self._hosts.transport(address), asked, deadline_s=_DEADLINE_S, idle_s=_IDLE_S
            )
        except AgiError as error:
            return HostPruning(host=address, error=error)
        removed = structured(answer["removed"], tuple[PrunedItem, ...])
        if address == THIS_MACHINE:
            removed += await asyncio.to_thread(
                prune_manager,
                self._installer,
                keep=keep,
                since=since,
                remove=remove,
            )
        kept = structured(answer["kept"], tuple[PrunedItem, ...])
        return HostPruning(host=address, removed=removed, kept=kept)

    async def _addresses(self, wanted: Sequence[str]) -> Sequence[str]:
        """The hosts that are meant.

        Raises:
            HostNotFoundError: One is not known.
        """
        if wanted:
            return [(await self._hosts.get_host(name)).address for name in wanted]
        page = await self._hosts.list_hosts(page_size=1000)
        return [host.address for host in page.items]


def _shown(app: str, kept: Sequence[KeptRelease]) -> list[Release]:
    earlier = [*kept[1:], None]
    return [
        Release(
            app=app,
            digest=each.release.digest,
            modes_enabled=each.modes_enabled,
            install_time=each.install_time,
            current=each is kept[0],
            changed_inputs=changed_inputs(before.release if before else None, each.release),
        )
        for each, before in zip(kept, earlier, strict=True)
    ]
