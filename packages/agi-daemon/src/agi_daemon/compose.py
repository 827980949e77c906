"""The one place where the parts of the daemon are made and joined."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager

from attrs import frozen

from agi_cluster.model.selection import THIS_MACHINE
from agi_cluster.model.services import (
    AppService,
    BenchmarkService,
    DaemonService,
    DoctorService,
    HostService,
    InstallationService,
    ModeService,
    PipelineRunService,
    PipelineService,
    PlanService,
    ReleaseService,
    RunService,
    SnippetService,
)
from agi_daemon.apps.registry import Apps
from agi_daemon.backup.backups import MIGRATION, Backups
from agi_daemon.benchmarks.benchmarks import Benchmarks
from agi_daemon.daemon_info import ThisDaemon
from agi_daemon.doctor.case import Records
from agi_daemon.doctor.doctor import Doctor
from agi_daemon.doctor.ways import KnownHosts, impatient
from agi_daemon.events import Events
from agi_daemon.hosts.abilities import Abilities
from agi_daemon.hosts.host_users import users_of
from agi_daemon.hosts.hosts import Hosts
from agi_daemon.hosts.reach import SshReach
from agi_daemon.install.builds import Builds
from agi_daemon.install.installations import Installations
from agi_daemon.install.installer import Installer
from agi_daemon.install.releases import Releases
from agi_daemon.modes.modes import Modes
from agi_daemon.pipelines.driver import PipelineParts
from agi_daemon.pipelines.links import Links
from agi_daemon.pipelines.pipeline_runs import PipelineRuns
from agi_daemon.pipelines.pipelines import Pipelines
from agi_daemon.pipelines.reconciler import PipelineReconciler
from agi_daemon.planning.calls import Calls
from agi_daemon.planning.drafting import Drafting
from agi_daemon.planning.plans import Plans
from agi_daemon.pruning.pipeline_pruner import PipelinePruner
from agi_daemon.pruning.pruner import Pruner
from agi_daemon.runs import run_store
from agi_daemon.runs.clearing import Clearing
from agi_daemon.runs.leases import CoreLeases
from agi_daemon.runs.parts import Parts
from agi_daemon.runs.reconciler import Reconciler
from agi_daemon.runs.run_keys import RunKeys
from agi_daemon.runs.run_traces import RunTraces
from agi_daemon.runs.runs import Runs
from agi_daemon.settings import DaemonSettings
from agi_daemon.snippets.origins import Origins
from agi_daemon.snippets.renderer import Snippets
from agi_daemon.store.requests import Requests
from agi_daemon.store.store import Store
from agi_daemon.transport.local import LocalTransport
from agi_daemon.upkeep.upkeep import Upkeep
from agi_env.paths import host_root


@frozen(kw_only=True)
class Services:
    """The daemon's core as the API sees it; what is None answers UNIMPLEMENTED."""

    daemon: DaemonService
    apps: AppService | None = None
    installations: InstallationService | None = None
    releases: ReleaseService | None = None
    plans: PlanService | None = None
    runs: RunService | None = None
    snippets: SnippetService | None = None
    pipelines: PipelineService | None = None
    pipeline_runs: PipelineRunService | None = None
    hosts: HostService | None = None
    modes: ModeService | None = None
    benchmarks: BenchmarkService | None = None
    doctor: DoctorService | None = None
    store: Store | None = None
    """What has to be writable for the daemon to be well; None: nothing."""


Compose = Callable[[DaemonSettings, asyncio.Event], AbstractAsyncContextManager[Services]]
"""Makes the services, and ends and closes what they use when its context ends.

It is given the settings and the event that begins the shutdown. The instance lock is held, the
state directory is there and private, and the log is open.
"""


@asynccontextmanager
async def compose(settings: DaemonSettings, stop: asyncio.Event) -> AsyncIterator[Services]:
    """Make the daemon's core over its state directory, and take up what is not settled.

    Raises:
        StateUnwritableError: The store cannot be made or written.
        StateUnreadableError: The store is damaged or of a newer version.
        DiskFullError: There is no room for it.
    """
    backups = Backups(settings.store_path, keep=settings.upkeep.backups_kept)
    store = Store.open(
        settings.store_path, lambda: backups.make(MIGRATION), patience_s=settings.store_wait
    )
    try:
        events, requests = Events(store), Requests(store)
        apps = Apps(store, requests, settings.state)
        reach = SshReach(settings.ssh)
        hosts = Hosts(store, requests, LocalTransport(host_root(settings.state)), reach)
        leases = CoreLeases(hosts.capacity)
        hosts.leased = leases.held_on
        hosts.users = lambda address: store.read(lambda db: users_of(db, address))
        installer = Installer(settings.state, idle_s=settings.install_idle)
        builds = Builds(installer, hosts.transport)
        abilities = Abilities(hosts.transport)
        plans = Plans(
            store=store,
            requests=requests,
            calls=Calls(apps, hosts, abilities),
            builds=builds,
            drafting=Drafting(store, hosts),
            drained=hosts.drained,
        )
        installations = Installations(
            store=store, requests=requests, events=events, apps=apps, hosts=hosts, builds=builds
        )
        parts = Parts(
            store=store,
            events=events,
            hosts=hosts,
            abilities=abilities,
            leases=leases,
            builds=builds,
            plans=plans,
            keys=RunKeys(settings.keys_path),
            cluster=settings.cluster,
            clearing=Clearing(store, events, hosts.transport),
        )
        reconciler = Reconciler(parts)
        hosts.on_drain = reconciler.drain
        pipeline_folder = settings.state / "pipelines"
        pruner = Pruner(store, hosts.transport, PipelinePruner(store, pipeline_folder))
        runs = Runs(parts, apps, requests, reconciler, pruner)
        modes = Modes(apps, hosts, abilities)
        benchmarks = Benchmarks(
            store=store, requests=requests, events=events, apps=apps, modes=modes, runs=runs
        )
        records = Records(apps=apps, runs=runs, installer=installer, cluster=settings.cluster)
        origins = Origins(store, apps, hosts)
        pipelines = Pipelines(store, requests, origins)
        pipeline_parts = PipelineParts(
            store=store,
            events=events,
            transport=hosts.transport(THIS_MACHINE),
            links=Links(store=store, runs=runs, plans=plans, installations=installations),
            folder=pipeline_folder,
            address=settings.address,
        )
        pipeline_reconciler = PipelineReconciler(pipeline_parts)
        installations.adopt()
        reconciler.adopt()
        parts.clearing.adopt()
        benchmarks.adopt()
        pipeline_reconciler.adopt()
        services = Services(
            daemon=ThisDaemon(
                settings,
                store=store,
                requests=requests,
                active_runs=lambda: store.read(run_store.count_unsettled),
                stop=stop.set,
            ),
            apps=apps,
            installations=installations,
            releases=Releases(
                store=store,
                requests=requests,
                apps=apps,
                hosts=hosts,
                installer=installer,
                runs=RunTraces(store),
            ),
            plans=plans,
            runs=runs,
            snippets=Snippets(origins),
            pipelines=pipelines,
            pipeline_runs=PipelineRuns(pipeline_parts, requests, pipelines, pipeline_reconciler),
            hosts=hosts,
            modes=modes,
            benchmarks=benchmarks,
            doctor=Doctor(records, KnownHosts(hosts, SshReach(impatient(settings.ssh)))),
            store=store,
        )
        try:
            async with Upkeep(settings.upkeep, backups, pruner).going_on():
                yield services
        finally:
            await pipeline_reconciler.aclose()
            await benchmarks.aclose()
            await reconciler.aclose()
            await parts.clearing.aclose()
            await installations.aclose()
            await hosts.aclose()
    finally:
        store.close()
