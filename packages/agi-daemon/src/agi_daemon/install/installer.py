"""Installing an app: lock, release, wheels, and a build on every host, each step only if needed."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from pathlib import Path

from agi_daemon.install.host_agent import IDLE_S
from agi_daemon.install.host_install import HostInstall, Wanted
from agi_daemon.install.kept_releases import KeptReleases
from agi_daemon.install.outcome import Installed, Phase, Progress, Report
from agi_daemon.install.release import Release, ReleaseFiles, changed_inputs
from agi_daemon.install.resolution import Resolved, Resolver, Role
from agi_daemon.transport.host_transport import HostTransport
from agi_env.app import App
from agi_env.errors import ModeNotEnabledError
from agi_env.mode import Mode


class Installer:
    """Installs apps from this manager onto hosts.

    Args:
        state: The state directory, in which locks, wheels and last releases are kept.
        idle_s: Seconds for which a step of a build may do nothing, until it is ended.
    """

    def __init__(self, state: Path, *, idle_s: float = IDLE_S) -> None:
        self.resolver = Resolver(state)
        self._idle_s = idle_s
        self._releases = ReleaseFiles(state / "releases")
        self.kept = KeptReleases(state / "releases")
        """The releases that can be installed again."""

    def changed_since_install(self, resolved: Resolved) -> tuple[str, ...]:
        """What differs between a release and the one that was installed last."""
        last = self._releases.load(resolved.app.name, resolved.role.value)
        return changed_inputs(last, resolved.release)

    async def ensure(
        self,
        app: App,
        hosts: Sequence[HostTransport],
        *,
        modes_enabled: Mode,
        role: Role = Role.WORKER,
        upgrade: bool = False,
        release: str = "",
        realise: bool = True,
        report: Report = lambda _: None,
    ) -> Installed:
        """See that every host has the build of the app's current sources, or of a kept release.

        The hosts are independent: what fails on one is in its outcome and spoils no other.

        Args:
            app: The app.
            hosts: The ways to the hosts.
            modes_enabled: The capabilities to stage.
            role: Whose dependencies are meant.
            upgrade: Lock the newest versions of the dependencies.
            release: The digest of the worker's release that is wanted; empty: current sources.
            realise: Make what is missing; else a host without the build gets a
                ``NotInstalledError`` that names what changed.
            report: Called after each side effect.

        Raises:
            LockFailedError: The dependencies cannot be resolved.
            AppInvalidError: The declarations of the app cannot be read.
            DiskFullError: There is no room on the manager.
            ReleaseNotFoundError: The release is not kept.
            ModeNotEnabledError: It was installed without a capability that is needed now.
        """
        if release:
            resolved = self._recalled(app, release, role, modes_enabled)
        else:
            resolved = await self.resolver.resolve(
                app, modes_enabled=modes_enabled, role=role, upgrade=upgrade
            )
        last = self._releases.load(app.name, role.value)
        changed = changed_inputs(last, resolved.release)
        report(Progress(Phase.RESOLVED, detail=resolved.release.digest, changed=changed))
        offers = await asyncio.to_thread(self.resolver.offers, resolved)
        wanted = Wanted(resolved=resolved, changed=changed, offers=offers, idle_s=self._idle_s)
        async with asyncio.TaskGroup() as group:
            installs = [HostInstall(wanted, host, self.resolver, report) for host in hosts]
            tasks = [group.create_task(install.outcome(realise)) for install in installs]
        outcomes = tuple(task.result() for task in tasks)
        if any(outcome.build for outcome in outcomes):
            await asyncio.to_thread(self._remember, resolved, last)
        return Installed(resolved.release, changed, outcomes)

    def _remember(self, resolved: Resolved, last: Release | None) -> None:
        self.kept.keep(resolved)
        if last != resolved.release:
            self._releases.save(resolved.app.name, resolved.role.value, resolved.release)

    def _recalled(self, app: App, digest: str, role: Role, modes: Mode) -> Resolved:
        resolved = self.kept.find(app, digest, role).resolved(app)
        lacking = resolved.lacks(modes)
        if lacking:
            raise ModeNotEnabledError(
                f"release {digest[:12]} was installed without {lacking.words}", where=app.name
            )
        return resolved
