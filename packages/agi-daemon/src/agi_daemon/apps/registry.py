"""The apps that the daemon knows, and the settings that their user keeps."""

from __future__ import annotations

import asyncio
import sqlite3
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from agi_cluster.model import app as model
from agi_cluster.model.page import Page
from agi_cluster.model.selection import Selection
from agi_daemon.store import pages
from agi_daemon.store.requests import Claim, Requests
from agi_daemon.store.store import Store
from agi_env.app import App, full_name, is_path
from agi_env.app_template import create, place_for
from agi_env.errors import AlreadyExistsError, AppNotFoundError, RequestInvalidError
from agi_env.settings_change import SettingChange
from agi_env.settings_file import SettingsFile, SettingsSnapshot


class Apps:
    """Implements ``agi_cluster.model.services.AppService``."""

    def __init__(self, store: Store, requests: Requests, state: Path) -> None:
        self._store = store
        self._requests = requests
        self._state = state

    async def list_apps(self, *, page_size: int = 0, page_token: str = "") -> Page[model.App]:
        """A page of apps by name."""
        limit = pages.page_limit(page_size)
        last = pages.position_of(page_token, "apps")
        rows = self._store.read(_rows_after(last, limit + 1))
        shown = [self._described(row["name"], row["path"]) for row in rows[:limit]]
        token = pages.page_token(shown[-1].name, "apps") if len(rows) > limit else ""
        return Page(items=shown, next_page_token=token)

    async def get_app(self, app: str) -> model.App:
        """One app, named in any of the three forms."""
        found = await self.find(app)
        return self._described(found.name, str(found.root))

    async def register_app(
        self, path: str, *, replace: bool = False, request_id: str = "", validate_only: bool = False
    ) -> model.App:
        """Register the app in this folder."""
        async with self._requests.claim(request_id, "RegisterApp", (path, replace)) as claim:
            if claim.earlier:
                return await self.get_app(claim.earlier)
            app = App.at(_absolute(path))
            self._check_free(app, replace=replace)
            if not validate_only:
                await self._store.write(_putting(app, claim))
            return self._described(app.name, str(app.root))

    async def create_app(
        self, app_id: str, directory: str, *, request_id: str = "", validate_only: bool = False
    ) -> model.App:
        """Make an app from the template and register it."""
        async with self._requests.claim(request_id, "CreateApp", (app_id, directory)) as claim:
            if claim.earlier:
                return await self.get_app(claim.earlier)
            root = await asyncio.to_thread(place_for, app_id, _absolute(directory))
            self._check_free(App(root), replace=False)
            if not validate_only:
                app = await asyncio.to_thread(create, app_id, root.parent)
                await self._store.write(_putting(app, claim))
            return self._described(root.name, str(root))

    async def get_settings(self, app: str) -> model.AppSettings:
        """The user's settings of an app, made from the app's own at first use."""
        found, snapshot = await self.read_settings(app)
        return _settings(found.name, snapshot)

    async def update_settings(
        self,
        app: str,
        changes: Sequence[model.SettingChange],
        *,
        etag: str = "",
        request_id: str = "",
        validate_only: bool = False,
    ) -> model.AppSettings:
        """Change single keys, all or none."""
        content = (app, changes, etag)
        async with self._requests.claim(request_id, "UpdateSettings", content) as claim:
            if claim.earlier:
                return await self.get_settings(claim.earlier)
            found = await self.find(app, dry_run=validate_only)
            edits = [_change(change) for change in changes]
            file = SettingsFile.of(self._state, found)
            snapshot = await asyncio.to_thread(file.edit, edits, etag=etag, dry_run=validate_only)
            if not validate_only:
                await self._store.write(lambda tx: claim.remember(tx, found.name))
            return _settings(found.name, snapshot)

    async def reset_settings(
        self, app: str, *, etag: str = "", request_id: str = "", validate_only: bool = False
    ) -> model.AppSettings:
        """Make the user's copy anew from the app's own settings."""
        async with self._requests.claim(request_id, "ResetSettings", (app, etag)) as claim:
            if claim.earlier:
                return await self.get_settings(claim.earlier)
            found = await self.find(app, dry_run=validate_only)
            file = SettingsFile.of(self._state, found)
            snapshot = await asyncio.to_thread(file.reset, etag=etag, dry_run=validate_only)
            if not validate_only:
                await self._store.write(lambda tx: claim.remember(tx, found.name))
            return _settings(found.name, snapshot)

    async def find(self, app: str, *, dry_run: bool = False) -> App:
        """The app of a name or path; a path that was not registered yet is registered.

        Args:
            app: The app, in any of the three forms.
            dry_run: Do not register it.

        Raises:
            AppNotFoundError: No such app is known, or its folder is gone.
            AppInvalidError: The folder is no app.
            AlreadyExistsError: The name belongs to another folder.
        """
        text = _plain(app)
        if is_path(text):
            return await self._by_path(text, dry_run=dry_run)
        name = full_name(text)
        row = self._store.read(_row(name))
        if row is None:
            raise AppNotFoundError(f"there is no app {name}", metadata={"app": name})
        return App.at(row["path"])

    async def read_settings(
        self, app: str, *, dry_run: bool = False
    ) -> tuple[App, SettingsSnapshot]:
        """The app and the user's settings of it; a dry run leaves neither behind."""
        found = await self.find(app, dry_run=dry_run)
        file = SettingsFile.of(self._state, found)
        if file.path.exists():
            # A small file beside the store; handing it to a thread costs more than reading it.
            return found, file.read()
        return found, await asyncio.to_thread(file.read, dry_run=dry_run)

    async def _by_path(self, path: str, *, dry_run: bool) -> App:
        app = App.at(_absolute(path))
        row = self._store.read(_row(app.name))
        if row is None or Path(row["path"]) != app.root:
            self._check_free(app, replace=False)
            if not dry_run:
                await self._store.write(lambda tx: _put(tx, app))
        return app

    def _check_free(self, app: App, *, replace: bool) -> None:
        """See that the name belongs to no other folder that is still there."""
        row = self._store.read(_row(app.name))
        if row is None or replace or Path(row["path"]) == app.root:
            return
        if Path(row["path"]).is_dir():
            raise AlreadyExistsError(
                f"{app.name} is registered at {row['path']}",
                where=str(app.root),
                remedy=f"`agi apps register --replace {app.root}` takes the name over",
                metadata={"app": app.name, "path": row["path"]},
            )

    def _described(self, name: str, path: str) -> model.App:
        app = App(Path(path))
        declared = app.pyproject.is_file()
        return model.App(
            name=name,
            target=app.target,
            path=path,
            settings_path=str(SettingsFile.of(self._state, app).path),
            requires_python=app.requires_python if declared else "",
        )


def _plain(app: str) -> str:
    """The app in ``apps/NAME`` or ``apps/NAME/settings``; other text as it is."""
    if app.startswith("apps/"):
        return app.removeprefix("apps/").removesuffix("/settings")
    if not app:
        raise RequestInvalidError("no app is named", where="app", remedy="Name an app")
    return app


def _absolute(path: str) -> Path:
    place = Path(path)
    if not place.is_absolute():
        raise RequestInvalidError(
            f"{path!r} is not absolute",
            where="path",
            remedy="Send an absolute path: the daemon has a directory of its own",
        )
    return place


def _change(change: model.SettingChange) -> SettingChange:
    if change.unset:
        return SettingChange.unset(change.key)
    return SettingChange.set(change.key, change.value)


def _putting(app: App, claim: Claim) -> Callable[[sqlite3.Connection], None]:
    def work(connection: sqlite3.Connection) -> None:
        _put(connection, app)
        claim.remember(connection, app.name)

    return work


def _put(connection: sqlite3.Connection, app: App) -> None:
    connection.execute(
        "INSERT OR REPLACE INTO apps VALUES (?, ?, ?)", (app.name, str(app.root), time.time())
    )


def _row(name: str) -> Callable[[sqlite3.Connection], sqlite3.Row | None]:
    def query(connection: sqlite3.Connection) -> sqlite3.Row | None:
        sql = "SELECT path FROM apps WHERE name = ?"
        row: sqlite3.Row | None = connection.execute(sql, (name,)).fetchone()
        return row

    return query


def _rows_after(name: str, limit: int) -> Callable[[sqlite3.Connection], list[sqlite3.Row]]:
    def query(connection: sqlite3.Connection) -> list[sqlite3.Row]:
        sql = "SELECT name, path FROM apps WHERE name > ? ORDER BY name LIMIT ?"
        return connection.execute(sql, (name, limit)).fetchall()

    return query


def _settings(app: str, snapshot: SettingsSnapshot) -> model.AppSettings:
    settings = snapshot.settings
    return model.AppSettings(
        app=app,
        etag=snapshot.etag,
        digest=settings.digest,
        path=str(snapshot.path),
        text=snapshot.text,
        args=settings.args,
        mode=settings.mode,
        modes_enabled=settings.modes_enabled,
        cluster_enabled=settings.cluster_enabled,
        pool=settings.pool,
        cython=settings.cython,
        rapids=settings.rapids,
        verbose=settings.verbose,
        selection=Selection(
            scheduler=settings.scheduler,
            workers=settings.workers,
            cores_per_slot=settings.cores_per_slot or 0,
        ),
        partition_timeout=settings.partition_timeout or 0.0,
        run_timeout=settings.run_timeout,
        explanation=tuple(settings.explain()),
    )
