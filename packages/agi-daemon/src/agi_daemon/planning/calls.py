"""What a call for a plan means with the settings as they are."""

from __future__ import annotations

from attrs import evolve

from agi_cluster.model.requests import CreatePlan
from agi_cluster.model.selection import Selection
from agi_daemon.apps.devices import with_devices
from agi_daemon.apps.registry import Apps
from agi_daemon.apps.resolution import Resolution, resolve
from agi_daemon.apps.slots import known_as
from agi_daemon.hosts.abilities import Abilities
from agi_daemon.hosts.hosts import Hosts
from agi_daemon.planning.origin import PlanOrigin
from agi_daemon.planning.staleness import changes_since
from agi_env.errors import AgiError, RequestInvalidError, SelectionInvalidError
from agi_env.settings_change import refuse_argument_slips


class Calls:
    """Resolves calls with the settings of their apps."""

    def __init__(self, apps: Apps, hosts: Hosts, abilities: Abilities) -> None:
        self._apps = apps
        self._hosts = hosts
        self._abilities = abilities

    async def resolved(
        self, request: CreatePlan, *, dry_run: bool
    ) -> tuple[CreatePlan, Resolution]:
        """The call with its hosts said outright where it changes them, and what it amounts to.

        Raises:
            SelectionInvalidError: No host is left.
            HostError, RefusedError: A host may not be used, see ``Hosts.admit``.
            ModeNotEnabledError: A host has not the GPU that the mode needs.
            RequestInvalidError: A host is left out that would not be used.
            SettingsInvalidError: An argument must be a slip of one that the settings have.
        """
        _, snapshot = await self._apps.read_settings(request.app, dry_run=dry_run)
        refuse_argument_slips(request.args, snapshot.settings.args, snapshot.path)
        resolution = await self._resolve(request, dry_run=dry_run)
        if request.without or request.slots:
            workers = _changed(resolution.selection.workers, request)
            selection = evolve(request.selection, workers=workers)
            request = evolve(request, selection=selection, without=(), slots={})
            resolution = await self._resolve(request, dry_run=dry_run)
        self._hosts.admit(resolution.hosts)
        return request, await with_devices(resolution, self._abilities)

    async def changes(self, origin: PlanOrigin) -> tuple[str, ...]:
        """What the call of a plan means otherwise now, field by field."""
        try:
            now = await self._resolve(origin.request, dry_run=True)
        except AgiError as error:
            return (f"the call that made the plan is refused now: {error.what}",)
        return tuple(str(change) for change in changes_since(origin.resolution, now))

    async def _resolve(self, request: CreatePlan, *, dry_run: bool) -> Resolution:
        app, snapshot = await self._apps.read_settings(request.app, dry_run=dry_run)
        return resolve(
            app,
            snapshot.settings,
            cores_of=self._hosts.cores,
            selection=request.selection,
            mode=request.mode,
            args=request.args,
        )


def _changed(workers: dict[str, int], request: CreatePlan) -> dict[str, int]:
    without = {known_as(host) for host in request.without}
    unknown = without - workers.keys()
    if unknown:
        raise RequestInvalidError(
            f"{min(unknown)} is none of the hosts {', '.join(workers)}",
            where="without",
            remedy="Leave it out",
        )
    slots = {known_as(host): count for host, count in request.slots.items()}
    left = {host: n for host, n in {**workers, **slots}.items() if host not in without}
    if not left:
        raise SelectionInvalidError("no host is left", where="without", remedy="Leave one out less")
    return Selection(workers=left).workers
