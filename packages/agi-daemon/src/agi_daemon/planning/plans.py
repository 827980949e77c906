"""Plans as the API offers them: made from what an app names, stored, looked at."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Callable

from agi_cluster.model.page import Page
from agi_cluster.model.plan import Plan, PlannedPartition
from agi_cluster.model.requests import CreatePlan
from agi_cluster.model.selection import THIS_MACHINE
from agi_daemon.apps.devices import with_devices
from agi_daemon.apps.registry import Apps
from agi_daemon.apps.resolution import Resolution, resolve
from agi_daemon.hosts.abilities import Abilities
from agi_daemon.hosts.hosts import Hosts
from agi_daemon.install.builds import Builds
from agi_daemon.planning import plan_store
from agi_daemon.planning.draft import draft
from agi_daemon.planning.naming import name_partitions
from agi_daemon.planning.plan_store import PlanContent
from agi_daemon.store import pages
from agi_daemon.store.requests import Claim, Requests
from agi_daemon.store.store import Store
from agi_env.app import full_name
from agi_env.errors import PlanNotFoundError


class Plans:
    """Implements ``agi_cluster.model.services.PlanService``."""

    def __init__(
        self,
        *,
        store: Store,
        requests: Requests,
        apps: Apps,
        hosts: Hosts,
        builds: Builds,
        abilities: Abilities,
    ) -> None:
        self._store = store
        self._requests = requests
        self._apps = apps
        self._hosts = hosts
        self._builds = builds
        self._abilities = abilities

    async def create_plan(
        self, request: CreatePlan, *, request_id: str = "", validate_only: bool = False
    ) -> Plan:
        """Have the app name its partitions, place them and store the plan."""
        async with self._requests.claim(request_id, "CreatePlan", request) as claim:
            if claim.earlier:
                return await self.get_plan(claim.earlier)
            resolution = await self._resolved(request, dry_run=validate_only)
            built = await self._builds.ensure(
                resolution.app_path,
                resolution.hosts,
                modes_enabled=resolution.modes_enabled,
                may_install=not request.no_install,
            )
            content = await self._drafted(resolution, built.manager_path)
            if not validate_only:
                await self._store.write(_insert(content, claim))
            return content.plan

    async def get_plan(self, name: str) -> Plan:
        """A plan at one revision, the latest when none is named."""
        plan_id, revision = plan_reference(name)
        return self._store.read(lambda db: plan_store.find(db, plan_id, revision))

    async def list_plans(
        self, *, page_size: int = 0, page_token: str = "", app: str = ""
    ) -> Page[Plan]:
        """A page of plans, newest first, each at its latest revision."""
        limit = pages.page_limit(page_size)
        named = full_name(app.removeprefix("apps/")) if app else ""
        items, token = self._store.read(
            lambda db: plan_store.page(db, limit=limit, token=page_token, app=named)
        )
        return Page(items=items, next_page_token=token)

    async def list_plan_partitions(
        self, parent: str, *, page_size: int = 0, page_token: str = ""
    ) -> Page[PlannedPartition]:
        """A page of a revision's partitions in plan order."""
        limit = pages.page_limit(page_size, default=1000, most=10_000)
        plan = await self.get_plan(parent)
        start = int(pages.position_of(page_token, "partitions", plan.name) or 0)
        items = self._store.read(
            lambda db: plan_store.page_of_partitions(
                db, plan.id, plan.revision, start=start, limit=limit
            )
        )
        end = start + len(items)
        more = end < plan.partition_count
        token = pages.page_token(end, "partitions", plan.name) if more else ""
        return Page(items=items, next_page_token=token)

    async def make(self, resolution: Resolution, manager_build: str) -> PlanContent:
        """Make and store the plan of a run whose manager side is installed at this path."""
        content = await self._drafted(resolution, manager_build)
        await self._store.write(lambda tx: plan_store.insert(tx, content))
        return content

    def content(self, name: str) -> PlanContent:
        """A plan revision with all of its partitions.

        Raises:
            PlanNotFoundError: There is none of this name.
        """
        plan_id, revision = plan_reference(name)
        return self._store.read(lambda db: plan_store.load_content(db, plan_id, revision))

    async def _resolved(self, request: CreatePlan, *, dry_run: bool) -> Resolution:
        app, snapshot = await self._apps.read_settings(request.app, dry_run=dry_run)
        resolution = resolve(
            app,
            snapshot.settings,
            cores_of=self._hosts.cores,
            selection=request.selection,
            mode=request.mode,
            args=request.args,
        )
        return await with_devices(resolution, self._abilities)

    async def _drafted(self, resolution: Resolution, manager_build: str) -> PlanContent:
        here = self._hosts.transport(THIS_MACHINE)
        partitions = await name_partitions(here, manager_build, resolution)
        return await asyncio.to_thread(draft, resolution, partitions)


def plan_reference(name: str) -> tuple[str, int | None]:
    """The id and revision in ``plans/ID@REVISION``; no revision: the latest.

    Raises:
        PlanNotFoundError: The revision is no number.
    """
    plan_id, at, revision = name.removeprefix("plans/").partition("@")
    if at and not revision.isdecimal():
        raise PlanNotFoundError(f"{revision!r} is no revision of plan {plan_id}")
    return plan_id, int(revision) if at else None


def _insert(content: PlanContent, claim: Claim) -> Callable[[sqlite3.Connection], None]:
    def work(connection: sqlite3.Connection) -> None:
        plan_store.insert(connection, content)
        claim.remember(connection, content.plan.name)

    return work
