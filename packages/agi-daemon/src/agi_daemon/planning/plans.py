"""Plans as the API offers them: made from what an app names, stored, looked at, edited."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Sequence

from attrs import evolve

from agi_cluster.model.page import Page
from agi_cluster.model.plan import Plan, PlanFinding, PlannedPartition
from agi_cluster.model.plan_diff import PlanDiff
from agi_cluster.model.plan_edit import PlanEdit
from agi_cluster.model.requests import CreatePlan, StalePlan
from agi_daemon.apps.resolution import Resolution
from agi_daemon.install.builds import Builds
from agi_daemon.planning import plan_store
from agi_daemon.planning.calls import Calls
from agi_daemon.planning.carried import Carried
from agi_daemon.planning.diff import compare, compare_revisions
from agi_daemon.planning.draft import findings_of, outline_of
from agi_daemon.planning.drafting import Drafting
from agi_daemon.planning.editing import Editing
from agi_daemon.planning.plan_store import NewPlan, PlanContent
from agi_daemon.planning.plan_view import PlanView
from agi_daemon.planning.staleness import other_partitions
from agi_daemon.store import pages
from agi_daemon.store.requests import Claim, Requests
from agi_daemon.store.store import Store
from agi_env.app import full_name
from agi_env.errors import PlanNotFoundError

_MOST_DIFFERENCES = 10_000


class Plans:
    """Implements ``agi_cluster.model.services.PlanService``.

    Args:
        store: Where plans are kept.
        requests: The request ids.
        calls: What calls mean with the settings as they are.
        builds: The builds that name partitions.
        drafting: Has apps name their partitions, and places them.
        drained: The hosts that get no work any more.
    """

    def __init__(
        self,
        *,
        store: Store,
        requests: Requests,
        calls: Calls,
        builds: Builds,
        drafting: Drafting,
        drained: Callable[[], frozenset[str]] = frozenset,
    ) -> None:
        self._store = store
        self._requests = requests
        self._calls = calls
        self._builds = builds
        self._drafting = drafting
        self._editing = Editing(store, drafting)
        self._drained = drained

    async def create_plan(
        self, request: CreatePlan, *, request_id: str = "", validate_only: bool = False
    ) -> Plan:
        """Have the app name its partitions, place them and store the plan."""
        async with self._requests.claim(request_id, "CreatePlan", request) as claim:
            if claim.earlier:
                return await self.get_plan(claim.earlier)
            carried = self._carried(request.rebase)
            request, resolution = await self._calls.resolved(request, dry_run=validate_only)
            manager = await self._manager_build(request, resolution, dry_run=validate_only)
            new = await self._drafting.draft(request, resolution, manager, carried)
            if not validate_only:
                await self._store.write(_insert(new, claim))
            return evolve(new.plan, printed=new.named.printed)

    async def get_plan(self, name: str) -> Plan:
        """A plan at one revision, the latest when none is named."""
        return self._find(name)

    async def list_plans(
        self, *, page_size: int = 0, page_token: str = "", app: str = ""
    ) -> Page[Plan]:
        """A page of plans, newest first, each at its latest revision and without its slots."""
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
        plan = self._find(parent)
        start = int(pages.position_of(page_token, "partitions", plan.name) or 0)
        items = self._store.read(
            lambda db: plan_store.page_of_partitions(db, plan, start=start, limit=limit)
        )
        end = start + len(items)
        more = end < plan.partition_count
        token = pages.page_token(end, "partitions", plan.name) if more else ""
        return Page(items=items, next_page_token=token)

    async def edit_plan(
        self,
        name: str,
        edits: Sequence[PlanEdit],
        *,
        etag: str = "",
        request_id: str = "",
        validate_only: bool = False,
    ) -> Plan:
        """Make a new revision of a plan; all edits are applied or none."""
        content = (name, [(type(edit).__name__, edit) for edit in edits], etag)
        async with self._requests.claim(request_id, "EditPlan", content) as claim:
            if claim.earlier:
                return await self.get_plan(claim.earlier)
            plan_id, based_on = plan_reference(name)
            async with self._editing.alone(plan_id):
                latest = self._editing.latest(plan_id, based_on, etag)
                revision = await self._editing.revised(latest, edits)
                if not validate_only:
                    await self._store.write(_insert_revision(revision, claim))
                return revision.plan

    async def list_plan_revisions(
        self, parent: str, *, page_size: int = 0, page_token: str = ""
    ) -> Page[Plan]:
        """A page of a plan's revisions, newest first and without their slots."""
        limit = pages.page_limit(page_size)
        plan_id, _ = plan_reference(parent)
        items, token = self._store.read(
            lambda db: plan_store.page_of_revisions(db, plan_id, limit=limit, token=page_token)
        )
        return Page(items=items, next_page_token=token)

    async def diff_plans(self, before: str, after: str, *, limit: int = 0) -> PlanDiff:
        """What a later revision has otherwise than an earlier one, of one plan or of two."""
        earlier, later = self._find(before), self._find(after)
        most = min(limit or 1000, _MOST_DIFFERENCES)

        def work(db: sqlite3.Connection) -> PlanDiff:
            if earlier.id == later.id:
                return compare_revisions(db, earlier, later, most)
            return compare(PlanView.read(db, earlier), PlanView.read(db, later), most)

        return await self._store.read_apart(work)

    async def lint_plan(self, name: str) -> tuple[PlanFinding, ...]:
        """What is doubtful about a plan, with the settings and the hosts as they are now."""
        plan = self._find(name)
        origin = self._store.read(lambda db: plan_store.origin(db, plan.id))
        facts = self._store.read(lambda db: plan_store.named_facts(db, plan.id))
        changes = await self._calls.changes(origin) if origin else ()
        return findings_of(outline_of(plan, facts, drained=self._drained(), changes=changes))

    async def make(self, request: CreatePlan, resolution: Resolution, manager_build: str) -> Plan:
        """Make and store the plan of a run whose manager side is installed at this path."""
        carried = self._carried(request.rebase)
        new = await self._drafting.draft(request, resolution, manager_build, carried)
        await self._store.write(lambda tx: plan_store.insert(tx, new))
        return evolve(new.plan, printed=new.named.printed)

    async def confirm(
        self, name: str, resolution: Resolution, manager_build: str, choice: StalePlan | None
    ) -> Plan:
        """See that a plan still has what the app names; the plan that the run executes.

        Raises:
            PlanStaleError: The app names other partitions now, and that was not accepted.
        """
        plan = self._find(name)
        origin = self._store.read(lambda db: plan_store.origin(db, plan.id))
        if origin is None or choice is StalePlan.PROCEED:
            return plan
        named = await self._drafting.named(resolution, manager_build)
        if named.digest == origin.partitions_digest:
            return evolve(plan, printed=named.printed)

        def work(db: sqlite3.Connection) -> PlanDiff:
            return compare(PlanView.read(db, plan), PlanView.named(named), _MOST_DIFFERENCES)

        raise other_partitions(plan, await self._store.read_apart(work))

    def content(self, name: str) -> PlanContent:
        """A plan revision with all of its partitions.

        Raises:
            PlanNotFoundError: There is none of this name.
        """
        plan_id, revision = plan_reference(name)
        return self._store.read(lambda db: plan_store.load_content(db, plan_id, revision))

    async def _manager_build(
        self, request: CreatePlan, resolution: Resolution, *, dry_run: bool
    ) -> str:
        if dry_run and request.no_install:
            return await self._builds.manager(
                resolution.app_path, resolution.hosts, modes_enabled=resolution.modes_enabled
            )
        built = await self._builds.ensure(
            resolution.app_path,
            resolution.hosts,
            modes_enabled=resolution.modes_enabled,
            may_install=not request.no_install,
        )
        return built.manager_path

    def _carried(self, name: str) -> Carried | None:
        if not name:
            return None
        plan = self._find(name)
        return self._store.read(lambda db: Carried.of(db, plan))

    def _find(self, name: str) -> Plan:
        plan_id, revision = plan_reference(name)
        return self._store.read(lambda db: plan_store.find(db, plan_id, revision))


def plan_reference(name: str) -> tuple[str, int | None]:
    """The id and revision in ``plans/ID@REVISION``; no revision: the latest.

    Raises:
        PlanNotFoundError: The revision is no number.
    """
    plan_id, at, revision = name.removeprefix("plans/").partition("@")
    if at and not revision.isdecimal():
        raise PlanNotFoundError(f"{revision!r} is no revision of plan {plan_id}")
    return plan_id, int(revision) if at else None


def _insert(new: NewPlan, claim: Claim) -> Callable[[sqlite3.Connection], None]:
    def work(connection: sqlite3.Connection) -> None:
        plan_store.insert(connection, new)
        claim.remember(connection, new.plan.name)

    return work


def _insert_revision(
    revision: plan_store.Revision, claim: Claim
) -> Callable[[sqlite3.Connection], None]:
    def work(connection: sqlite3.Connection) -> None:
        plan_store.insert_revision(connection, revision)
        claim.remember(connection, revision.plan.name)

    return work
