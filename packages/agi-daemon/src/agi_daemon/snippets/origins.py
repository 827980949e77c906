"""What snippets are rendered from: recorded when they are, compared later, field by field."""

from __future__ import annotations

import asyncio
import json
import sqlite3
from collections.abc import Callable, Iterator, Mapping

from agi_cluster.model.selection import Selection
from agi_cluster.model.snippet import SnippetFacts, SnippetKind, Staleness
from agi_daemon.apps.registry import Apps
from agi_daemon.apps.slots import for_mode
from agi_daemon.hosts.hosts import Hosts
from agi_daemon.install.release import APP_FILE, Release, changed_inputs, digest_of
from agi_daemon.install.sources import SourceDigests
from agi_daemon.planning import plan_store
from agi_daemon.planning.plans import plan_reference
from agi_daemon.snippets import staleness
from agi_daemon.store.store import Store
from agi_env.app import App
from agi_env.errors import AppError, HostNotFoundError, NotFoundError, PlanStaleError
from agi_env.mode import Mode
from agi_env.settings import Settings

_HOSTS = ("cluster.workers", "cluster.scheduler", "cluster.user", "cluster.cores_per_slot")


class Origins:
    """Says what a snippet of an app would be rendered from now."""

    def __init__(self, store: Store, apps: Apps, hosts: Hosts) -> None:
        self._store = store
        self._apps = apps
        self._hosts = hosts
        self._digests = SourceDigests()

    async def now(
        self, app: str, kind: SnippetKind, plan: str = "", *, remember: bool = True
    ) -> tuple[SnippetFacts, Settings]:
        """What a snippet would be rendered from.

        Args:
            app: The app, in any of the three forms.
            kind: What the snippet does.
            plan: The plan that it is to be bound to; empty: none.
            remember: Keep it, to say later what has changed.

        Raises:
            PlanNotFoundError: There is no such plan.
            PlanStaleError: The plan was made for other settings.
            AgiError: Those of apps and settings.
        """
        found, snapshot = await self._apps.read_settings(app, dry_run=not remember)
        settings = snapshot.settings
        sources = await asyncio.to_thread(self._sources, found)
        facts = SnippetFacts(
            kind=kind,
            app=found.name,
            settings=settings.digest,
            selection=_selection(settings).digest,
            sources=digest_of(sources),
            plan=self._bound(plan, found, settings) if kind is not SnippetKind.INSTALL else "",
        )
        if remember:
            await self._store.write(_remember(facts, settings, sources))
        return facts, settings

    async def changes(self, facts: SnippetFacts) -> tuple[Staleness, ...]:
        """What has changed since a snippet was rendered, field by field; empty if nothing has."""
        try:
            app, snapshot = await self._apps.read_settings(facts.app, dry_run=True)
        except (NotFoundError, AppError) as error:
            return (Staleness(field="app", detail=str(error)),)
        sources = await asyncio.to_thread(self._sources, app)
        return (
            *self._settings_changes(facts, snapshot.settings),
            *self._host_changes(snapshot.settings),
            *self._source_changes(facts, sources),
            *self._plan_changes(facts),
        )

    def _sources(self, app: App) -> dict[str, str]:
        files = {f"src/{file.name}": file.digest for file in self._digests.packages(app.source)}
        files["pyproject.toml"] = digest_of(app.pyproject.read_text(errors="replace"))
        return files

    def _bound(self, plan: str, app: App, settings: Settings) -> str:
        """The full name of the plan revision that is asked for, if it fits the settings."""
        if not plan:
            return ""
        found = self._store.read(lambda db: plan_store.find(db, *plan_reference(plan)))
        if found.app != app.name:
            raise PlanStaleError(
                f"it is a plan of {found.app}", where=found.name, metadata={"app": app.name}
            )
        now = (settings.mode, _selection(settings).digest, settings.args)
        if (found.mode, found.selection_digest, found.args) != now:
            raise PlanStaleError(
                "it was made for another mode, other hosts or other arguments than the settings'",
                where=found.name,
                metadata={"app": app.name},
            )
        return found.name

    def _settings_changes(self, facts: SnippetFacts, now: Settings) -> Iterator[Staleness]:
        if facts.settings == now.digest:
            return
        before = staleness.remembered(self._store, facts.settings)
        if before is None:
            what = "they have changed since, and this daemon does not know how they were"
            yield Staleness(field="settings", detail=what)
            return
        for field, old, new in before.differences(now):
            group = _group(field)
            if group != "arguments" or facts.kind is not SnippetKind.INSTALL:
                yield Staleness(field=group, detail=f"{field} was {old!r} and is {new!r} now")

    def _host_changes(self, now: Settings) -> Iterator[Staleness]:
        for host in _selection(now).workers if Mode.CLUSTER in now.mode else ():
            try:
                self._hosts.transport(host)
            except HostNotFoundError as error:
                yield Staleness(field="hosts", detail=error.what)

    def _source_changes(self, facts: SnippetFacts, now: Mapping[str, str]) -> Iterator[Staleness]:
        if not facts.sources or facts.sources == digest_of(now):
            return
        before = self._store.read(lambda db: _sources_of(db, facts.sources))
        if before is None:
            yield Staleness(field="sources", detail="the app's sources have changed since")
            return
        for change in changed_inputs(_of_files(before), _of_files(now)):
            yield Staleness(field="sources", detail=change.removeprefix(APP_FILE))

    def _plan_changes(self, facts: SnippetFacts) -> Iterator[Staleness]:
        if not facts.plan:
            return
        plan_id, revision = plan_reference(facts.plan)
        try:
            latest = self._store.read(lambda db: plan_store.find(db, plan_id, None))
        except NotFoundError as error:
            yield Staleness(field="plan", detail=error.what)
            return
        if latest.revision != revision:
            detail = f"it is bound to {facts.plan}, and the latest revision is {latest.revision}"
            yield Staleness(field="plan", detail=detail)


def _group(field: str) -> str:
    if field.startswith("args."):
        return "arguments"
    return "hosts" if field.startswith(_HOSTS) else "settings"


def _selection(settings: Settings) -> Selection:
    chosen = Selection(
        scheduler=settings.scheduler,
        workers=settings.workers,
        cores_per_slot=settings.cores_per_slot or 0,
    )
    return for_mode(Selection(), chosen, settings.mode)


def _remember(
    facts: SnippetFacts, settings: Settings, sources: Mapping[str, str]
) -> Callable[[sqlite3.Connection], None]:
    def work(connection: sqlite3.Connection) -> None:
        staleness.remember(connection, facts.app, settings)
        connection.execute(
            "INSERT OR IGNORE INTO rendered_sources VALUES (?, ?, ?)",
            (facts.sources, facts.app, json.dumps(sources)),
        )

    return work


def _of_files(digests: Mapping[str, str]) -> Release:
    """A release of nothing but these files of an app."""
    return Release({f"{APP_FILE}{name}": digest for name, digest in digests.items()})


def _sources_of(connection: sqlite3.Connection, digest: str) -> dict[str, str] | None:
    sql = "SELECT body FROM rendered_sources WHERE digest = ?"
    row = connection.execute(sql, (digest,)).fetchone()
    if row is None:
        return None
    sources: dict[str, str] = json.loads(row["body"])
    return sources
