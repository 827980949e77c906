"""Installing an app: lock, release, wheels, and a build on every host, each step only if needed."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from pathlib import Path

from agi_daemon.install.host_install import HostInstall
from agi_daemon.install.outcome import HostOutcome, Installed, Phase, Progress, Report
from agi_daemon.install.release import ReleaseFiles, changed_inputs
from agi_daemon.install.resolution import Resolved, Resolver, Role
from agi_daemon.transport.host_transport import HostTransport
from agi_env.app import App
from agi_env.errors import CompilerMissingError
from agi_env.mode import Mode


class Installer:
    """Installs apps from this manager onto hosts.

    Args:
        state: The state directory, in which locks, wheels and last releases are kept.
    """

    def __init__(self, state: Path) -> None:
        self.resolver = Resolver(state)
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
        installs = [HostInstall(resolved, host, changed, self.resolver, report) for host in hosts]
        outcomes = await _each(installs, [None] * len(installs), realise)
        if any(isinstance(outcome.error, CompilerMissingError) for outcome in outcomes):
            # A host with a compiler may have compiled meanwhile for those that have none.
            outcomes = await _each(installs, outcomes, realise)
        if last != resolved.release and any(outcome.build for outcome in outcomes):
            self._releases.save(app.name, role.value, resolved.release)
        return Installed(resolved.release, changed, outcomes)


async def _each(
    installs: Sequence[HostInstall], earlier: Sequence[HostOutcome | None], realise: bool
) -> tuple[HostOutcome, ...]:
    """The outcomes of all installs; those that succeeded, or failed otherwise, stay."""

    async def one(install: HostInstall, before: HostOutcome | None) -> HostOutcome:
        if before is None or isinstance(before.error, CompilerMissingError):
            return await install.outcome(realise)
        return before

    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(one(*pair)) for pair in zip(installs, earlier, strict=True)]
    return tuple(task.result() for task in tasks)
