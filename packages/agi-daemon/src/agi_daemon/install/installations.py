"""Installations as the API offers them: accepted, carried out, watched."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import AsyncIterator, Callable, Sequence
from datetime import UTC, datetime

from attrs import evolve

from agi_cluster.model.event import Event
from agi_cluster.model.installation import HostInstallation, Installation, InstallationState
from agi_cluster.model.page import Page
from agi_cluster.model.requests import CreateInstallation
from agi_cluster.model.selection import THIS_MACHINE, Selection
from agi_daemon.apps.registry import Apps
from agi_daemon.apps.slots import for_mode
from agi_daemon.completion import completed
from agi_daemon.defects import defect
from agi_daemon.events import Events, Fact
from agi_daemon.hosts.hosts import Hosts
from agi_daemon.install import installation_store
from agi_daemon.install.builds import Builds, needs_one_build
from agi_daemon.install.installation_store import InstallationRecord
from agi_daemon.install.outcome import HostOutcome, Installed, Phase, Progress
from agi_daemon.install.resolution import Role
from agi_daemon.resource_id import new_id
from agi_daemon.resumption import STEADY, Resumption
from agi_daemon.store import pages
from agi_daemon.store.requests import Claim, Requests
from agi_daemon.store.store import Store
from agi_env.app import App, full_name
from agi_env.errors import AgiError
from agi_env.settings import Settings

_VERBOSITY = {Phase.REALISING: 2, Phase.CHECKED: 2, Phase.FAILED: 0}


class Installations:
    """Implements ``agi_cluster.model.services.InstallationService``."""

    def __init__(
        self,
        *,
        store: Store,
        requests: Requests,
        events: Events,
        apps: Apps,
        hosts: Hosts,
        builds: Builds,
        resumption: Resumption = STEADY,
    ) -> None:
        self._store = store
        self._requests = requests
        self._events = events
        self._apps = apps
        self._hosts = hosts
        self._builds = builds
        self._resumption = resumption
        self._tasks: set[asyncio.Task[None]] = set()

    async def create_installation(
        self, request: CreateInstallation, *, request_id: str = "", validate_only: bool = False
    ) -> Installation:
        """Accept an install of the current sources and return it at once."""
        async with self._requests.claim(request_id, "CreateInstallation", request) as claim:
            if claim.earlier:
                return await self.get_installation(claim.earlier)
            record = await self._ordered(request, dry_run=validate_only)
            if validate_only:
                return record.installation
            return await completed(self._take_up(record, claim))

    async def get_installation(self, name: str) -> Installation:
        """One installation."""
        return self._record(name).installation

    async def list_installations(
        self, *, page_size: int = 0, page_token: str = "", app: str = ""
    ) -> Page[Installation]:
        """A page of installations, newest first."""
        limit = pages.page_limit(page_size)
        named = full_name(app.removeprefix("apps/")) if app else ""
        items, token = self._store.read(
            lambda db: installation_store.page(db, limit=limit, token=page_token, app=named)
        )
        return Page(items=items, next_page_token=token)

    def watch_installation(
        self, name: str, *, after_sequence: int = 0
    ) -> AsyncIterator[tuple[Installation | Event, int]]:
        """Yield a snapshot, the events after a number, and a last snapshot when it is settled."""
        return self._events.watch(
            f"installations/{_plain(name)}",
            lambda: self._record(name).installation,
            after=after_sequence,
            settled=lambda: self._record(name).installation.state.settled,
        )

    def adopt(self) -> None:
        """Take up the installations of an earlier daemon from their beginning."""
        for record in self._store.read(installation_store.unsettled):
            self._admit(record)

    async def aclose(self) -> None:
        """Stop; the next daemon takes up what is not settled."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _ordered(self, request: CreateInstallation, *, dry_run: bool) -> InstallationRecord:
        app, snapshot = await self._apps.read_settings(request.app, dry_run=dry_run)
        settings = snapshot.settings
        modes = settings.modes_enabled if request.modes_enabled is None else request.modes_enabled
        release = ""
        if request.release:
            kept = self._builds.kept(app, request.release)
            modes, release = kept.modes_enabled, kept.release.digest
        selection = for_mode(request.selection, _configured(settings), modes)
        self._hosts.admit(selection.workers)
        installation = Installation(
            id=new_id(app.target),
            app=app.name,
            state=InstallationState.PENDING,
            modes_enabled=modes,
            create_time=datetime.now(UTC),
            hosts=tuple(HostInstallation(host=host) for host in selection.workers),
        )
        return InstallationRecord(
            installation=installation,
            app_path=str(app.root),
            hosts=tuple(selection.workers),
            upgrade=request.upgrade,
            release=release,
        )

    async def _take_up(self, record: InstallationRecord, claim: Claim) -> Installation:
        await self._store.write(self._accept(record, claim))
        self._events.announce(record.subject)
        self._admit(record)
        return record.installation

    def _admit(self, record: InstallationRecord) -> None:
        carrying_out = self._resumption.work(record.subject, lambda: self._carry_out(record))
        task = asyncio.create_task(carrying_out, name=record.subject)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _carry_out(self, record: InstallationRecord) -> None:
        moving = evolve(record.installation, state=InstallationState.INSTALLING)
        record = evolve(record, installation=moving)
        await self._save(record, [])
        try:
            settled = await self._install(record)
        except AgiError as error:
            settled = _failed(record.installation, error)
        except Exception as error:  # noqa: BLE001 - the boundary: logged, and the installation says it
            settled = _failed(record.installation, defect(error, where=record.subject))
        await self._save(evolve(record, installation=settled), [_settled_fact(settled)])

    async def _install(self, record: InstallationRecord) -> Installation:
        """Install the worker side on its hosts and the manager side here, telling each step."""
        steps: asyncio.Queue[Progress | None] = asyncio.Queue()
        teller = asyncio.create_task(self._tell(record, steps), name="tell an installation")
        try:
            return _outcome(record.installation, await self._install_both(record, steps))
        finally:
            steps.put_nowait(None)
            await teller

    async def _install_both(
        self, record: InstallationRecord, steps: asyncio.Queue[Progress | None]
    ) -> list[Installed]:
        app = App.at(record.app_path)
        sides = [(Role.WORKER, record.hosts)]
        if THIS_MACHINE not in record.hosts or record.release or not needs_one_build(app):
            sides.append((Role.MANAGER, (THIS_MACHINE,)))
        installs = [
            self._builds.install(
                app,
                hosts,
                role,
                modes_enabled=record.installation.modes_enabled,
                upgrade=record.upgrade,
                release=record.release,
                report=steps.put_nowait,
            )
            for role, hosts in sides
        ]
        ended = await asyncio.gather(*installs, return_exceptions=True)
        for end in ended:
            if isinstance(end, BaseException):
                raise end
        return [end for end in ended if not isinstance(end, BaseException)]

    async def _tell(
        self, record: InstallationRecord, steps: asyncio.Queue[Progress | None]
    ) -> None:
        while step := await steps.get():
            fact = _fact(step)
            await self._store.keep(self._appending(record.subject, fact))
            self._events.announce(record.subject)

    def _appending(self, subject: str, fact: Fact) -> Callable[[sqlite3.Connection], int]:
        return lambda tx: self._events.append(tx, subject, [fact])

    async def _save(self, record: InstallationRecord, facts: Sequence[Fact]) -> None:
        def work(connection: sqlite3.Connection) -> None:
            installation_store.update(connection, record)
            self._events.append(connection, record.subject, facts)

        await self._store.keep(work)
        self._events.announce(record.subject)

    def _accept(
        self, record: InstallationRecord, claim: Claim
    ) -> Callable[[sqlite3.Connection], None]:
        def work(connection: sqlite3.Connection) -> None:
            installation_store.insert(connection, record)
            claim.remember(connection, record.installation.id)
            fact = Fact(kind="accepted", data={"app": record.installation.app})
            self._events.append(connection, record.subject, [fact])

        return work

    def _record(self, name: str) -> InstallationRecord:
        return self._store.read(lambda db: installation_store.find(db, _plain(name)))


def _plain(name: str) -> str:
    return name.removeprefix("installations/")


def _configured(settings: Settings) -> Selection:
    return Selection(scheduler=settings.scheduler, workers=settings.workers)


def _fact(step: Progress) -> Fact:
    data = {
        "host": step.host,
        "detail": step.detail,
        "wheels": list(step.wheels),
        "bytes": step.size_bytes,
        "changed": list(step.changed),
    }
    kept = {key: value for key, value in data.items() if value}
    return Fact(kind=step.phase.value.lower(), data=kept, verbosity=_VERBOSITY.get(step.phase, 1))


def _outcome(installation: Installation, sides: Sequence[Installed]) -> Installation:
    """The settled installation; where both sides met on a host, its worse half speaks for it."""
    hosts: dict[str, HostOutcome] = {}
    for side in sides:
        for outcome in side.hosts:
            earlier = hosts.get(outcome.host)
            hosts[outcome.host] = outcome if earlier is None else _joined(earlier, outcome)
    error = next((each.error for each in hosts.values() if each.error), None)
    return evolve(
        installation,
        state=InstallationState.FAILED if error else InstallationState.SUCCEEDED,
        release=sides[0].release.digest,
        changed_inputs=tuple(dict.fromkeys(name for side in sides for name in side.changed)),
        hosts=tuple(_host(outcome) for outcome in hosts.values()),
        end_time=datetime.now(UTC),
        error=error,
        unchanged=all(side.unchanged for side in sides),
    )


def _joined(worker: HostOutcome, manager: HostOutcome) -> HostOutcome:
    return evolve(
        worker,
        unchanged=worker.unchanged and manager.unchanged,
        shipped=tuple(dict.fromkeys((*worker.shipped, *manager.shipped))),
        shipped_bytes=worker.shipped_bytes + manager.shipped_bytes,
        seconds=worker.seconds + manager.seconds,
        error=worker.error or manager.error,
    )


def _host(outcome: HostOutcome) -> HostInstallation:
    return HostInstallation(
        host=outcome.host,
        state=InstallationState.FAILED if outcome.error else InstallationState.SUCCEEDED,
        build=outcome.build.digest if outcome.build else "",
        unchanged=outcome.unchanged,
        shipped_wheels=outcome.shipped,
        shipped_bytes=outcome.shipped_bytes,
        seconds=outcome.seconds,
        error=outcome.error,
    )


def _failed(installation: Installation, error: AgiError) -> Installation:
    return evolve(
        installation,
        state=InstallationState.FAILED,
        end_time=datetime.now(UTC),
        error=error,
    )


def _settled_fact(installation: Installation) -> Fact:
    error = installation.error
    said = {"code": error.code, "metadata": error.to_metadata()} if error else None
    data = {"state": installation.state.value, "error": said}
    return Fact(kind="settled", data=data, verbosity=0)
