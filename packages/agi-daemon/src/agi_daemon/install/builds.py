"""The builds that one call needs: the worker's on each host, the manager's on this machine."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from attrs import evolve, frozen

from agi_cluster.model.selection import THIS_MACHINE
from agi_daemon.install.installer import Installer
from agi_daemon.install.kept_releases import KeptRelease
from agi_daemon.install.outcome import HostOutcome, Installed, Phase, Progress, Report
from agi_daemon.install.resolution import Role
from agi_daemon.transport.host_transport import HostTransport
from agi_env.app import App
from agi_env.errors import AgiError, InternalError
from agi_env.mode import Mode

Transports = Callable[[str], HostTransport]


@frozen(kw_only=True)
class Built:
    """The builds of one app's current sources."""

    release: str
    """The digest of the worker's release."""
    worker_paths: Mapping[str, str]
    """The worker's build on each host, on this machine also where it is the manager's."""
    manager_path: str
    """The manager's build on this machine."""
    changed: tuple[str, ...]
    """Inputs that changed since the release that was installed before."""
    outcomes: tuple[HostOutcome, ...]

    @property
    def unchanged(self) -> bool:
        """Nothing had to be done."""
        return all(outcome.unchanged for outcome in self.outcomes)

    @property
    def summary(self) -> str:
        """What was installed, in a line; empty if nothing had to be."""
        if self.unchanged:
            return ""
        return ", ".join(self.changed) or "for the first time"


class Builds:
    """Sees to it that the builds of current sources are there."""

    def __init__(self, installer: Installer, transports: Transports) -> None:
        self.installer = installer
        self._transports = transports

    async def ensure(
        self,
        app_path: str,
        hosts: Sequence[str],
        *,
        modes_enabled: Mode,
        may_install: bool = True,
        release: str = "",
        report: Report = lambda _: None,
    ) -> Built:
        """The builds of the app's current sources or a kept release, made where they are missing.

        Args:
            app_path: The app's folder.
            hosts: Where its workers run.
            modes_enabled: The capabilities that the worker's build needs.
            may_install: Make what is missing; else refuse.
            release: The digest of the kept release that is wanted; empty: current sources.
            report: Called after each step of what has to be done.

        Raises:
            NotInstalledError: Something is missing and may not be made.
            AppNotFoundError, AppInvalidError: The folder is gone or is no app any more.
            AgiError: The first error of any host.
        """
        app = App.at(Path(app_path))
        worker = await self.install(
            app,
            hosts,
            Role.WORKER,
            modes_enabled=modes_enabled,
            release=release,
            realise=may_install,
            report=report,
        )
        _raise_first(worker)
        manager = await self._manager(
            app, worker, modes_enabled, release, realise=may_install, report=report
        )
        return Built(
            release=worker.release.digest,
            worker_paths=_paths(worker, manager),
            manager_path=_path(manager.hosts[0]),
            changed=worker.changed or manager.changed,
            outcomes=(*worker.hosts, *(each for each in manager.hosts if each not in worker.hosts)),
        )

    async def manager(self, app_path: str, hosts: Sequence[str], *, modes_enabled: Mode) -> str:
        """The path of the manager's build on this machine, which is not made; hosts stay alone.

        Raises:
            NotInstalledError: It is missing.
        """
        app = App.at(Path(app_path))
        role = Role.WORKER if THIS_MACHINE in hosts and needs_one_build(app) else Role.MANAGER
        found = await self.install(
            app, [THIS_MACHINE], role, modes_enabled=modes_enabled, realise=False
        )
        _raise_first(found)
        return _path(found.hosts[0])

    async def install(
        self,
        app: App,
        hosts: Sequence[str],
        role: Role,
        *,
        modes_enabled: Mode,
        upgrade: bool = False,
        release: str = "",
        realise: bool = True,
        report: Report = lambda _: None,
    ) -> Installed:
        """Install one side of an app on hosts; what fails on a host is in its outcome."""
        ways, closed = self._ways(hosts)
        for outcome in closed.values():
            report(Progress(Phase.FAILED, outcome.host, detail=str(outcome.error)))
        installed = await self.installer.ensure(
            app,
            list(ways.values()),
            modes_enabled=modes_enabled,
            role=role,
            upgrade=upgrade,
            release=release,
            realise=realise,
            report=report,
        )
        ended = closed | dict(zip(ways, installed.hosts, strict=True))
        return evolve(installed, hosts=tuple(ended[host] for host in hosts))

    def _ways(
        self, hosts: Sequence[str]
    ) -> tuple[dict[str, HostTransport], dict[str, HostOutcome]]:
        """The ways to the hosts, and the outcome on those to which there is none now."""
        ways: dict[str, HostTransport] = {}
        closed: dict[str, HostOutcome] = {}
        for host in hosts:
            try:
                ways[host] = self._transports(host)
            except AgiError as error:
                closed[host] = HostOutcome(host, error=error)
        return ways, closed

    def kept(self, app: App, digest: str) -> KeptRelease:
        """The release of an app that a digest, or the beginning of one, names.

        Raises:
            ReleaseNotFoundError: None is kept.
        """
        return self.installer.kept.find(app, digest)

    def digest_of(self, app: App, release: str) -> str:
        """The digest of a kept release, given its beginning; empty for none.

        Raises:
            ReleaseNotFoundError: None is kept.
        """
        return self.kept(app, release).release.digest if release else ""

    async def _manager(
        self,
        app: App,
        worker: Installed,
        modes_enabled: Mode,
        release: str,
        *,
        realise: bool,
        report: Report,
    ) -> Installed:
        if needs_one_build(app) and not release:
            for outcome in worker.hosts:
                if outcome.host == THIS_MACHINE:
                    return evolve(worker, hosts=(outcome,))
        manager = await self.install(
            app,
            [THIS_MACHINE],
            Role.MANAGER,
            modes_enabled=modes_enabled,
            release=release,
            realise=realise,
            report=report,
        )
        _raise_first(manager)
        return manager


def needs_one_build(app: App) -> bool:
    """Both sides of the app declare the same dependencies, so that one build serves both."""
    return sorted(app.manager_dependencies()) == sorted(app.worker_dependencies())


def _raise_first(installed: Installed) -> None:
    if installed.error is not None:
        raise installed.error


def _paths(worker: Installed, manager: Installed) -> dict[str, str]:
    """Where the worker's release is, which the manager's may be too."""
    same = manager.hosts if manager.release == worker.release else ()
    return {outcome.host: _path(outcome) for outcome in (*worker.hosts, *same)}


def _path(outcome: HostOutcome) -> str:
    if outcome.build is None:
        raise InternalError("an install without an error has no build", where=outcome.host)
    return str(outcome.build.path)
