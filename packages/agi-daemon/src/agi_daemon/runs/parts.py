"""What the drivers of runs work with."""

from __future__ import annotations

from attrs import frozen

from agi_daemon.events import Events
from agi_daemon.hosts.hosts import Hosts
from agi_daemon.install.builds import Builds
from agi_daemon.planning.plans import Plans
from agi_daemon.runs.clearing import Clearing
from agi_daemon.runs.cluster_settings import ClusterSettings
from agi_daemon.runs.leases import CoreLeases
from agi_daemon.runs.run_keys import RunKeys
from agi_daemon.store.store import Store


@frozen(kw_only=True)
class Parts:
    """What a driver works with."""

    store: Store
    events: Events
    hosts: Hosts
    leases: CoreLeases
    builds: Builds
    plans: Plans
    keys: RunKeys
    cluster: ClusterSettings
    clearing: Clearing
