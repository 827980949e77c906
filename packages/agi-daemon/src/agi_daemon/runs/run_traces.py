"""What runs need on hosts, and which of them have been over for long."""

from __future__ import annotations

from datetime import datetime

from agi_cluster.model.selection import THIS_MACHINE
from agi_daemon.runs import run_store
from agi_daemon.store.store import Store


class RunTraces:
    """Implements ``agi_daemon.install.releases.RunsOnHosts``.

    Args:
        store: Where the runs are.
    """

    def __init__(self, store: Store) -> None:
        self._store = store

    def needed_builds(self, address: str) -> list[str]:
        """Digests of the builds on a host that unsettled runs have been given."""
        runs = self._store.read(run_store.unsettled)
        paths = [run.builds.get(address, "") for run in runs]
        if address == THIS_MACHINE:
            paths += [run.manager_build for run in runs]
        return [path.rpartition("/")[2] for path in paths if path]

    def settled_before(self, time: datetime) -> list[str]:
        """The ids of the runs that were settled before a time."""
        return self._store.read(lambda db: run_store.settled_before(db, time))
