"""Installing an app: lock, release, wheels, and a build on every host, each step only if needed."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from pathlib import Path

from agi_daemon.install.host_agent import IDLE_S
from agi_daemon.install.host_install import HostInstall, Wanted
from agi_daemon.install.outcome import Installed, Phase, Progress, Report
from agi_daemon.install.release import ReleaseFiles, changed_inputs
from agi_daemon.install.resolution import Resolved, Resolver, Role
from agi_daemon.transport.host_transport import HostTransport
from agi_env.app import App
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
        realise: bool = True,
        report: Report = lambda _: None,
    ) -> Installed:
        """See that every host has the build of the app's current sources.

        The hosts are independent: what fails on one is in its outcome and spoils no other.

        Args:
            app: The app.
            hosts: The ways to the hosts.
            modes_enabled: The capabilities to stage.
            role: Whose dependencies are meant.
            upgrade: Lock the newest versions of the dependencies.
            realise: Make what is missing; else a host without the build gets a
                ``NotInstalledError`` that names what changed.
            report: Called after each side effect.

        Raises:
            LockFailedError: The dependencies cannot be resolved.
            AppInvalidError: The declarations of the app cannot be read.
            DiskFullError: There is no room on the manager.
        """
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
        if last != resolved.release and any(outcome.build for outcome in outcomes):
            self._releases.save(app.name, role.value, resolved.release)
        return Installed(resolved.release, changed, outcomes)
