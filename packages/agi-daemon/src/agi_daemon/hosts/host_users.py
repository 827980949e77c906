"""What needs a host: runs and installations that are not settled."""

from __future__ import annotations

import sqlite3

from agi_daemon.install import installation_store
from agi_daemon.runs import run_store


def users_of(connection: sqlite3.Connection, address: str) -> list[str]:
    """The names of the resources that need a host, runs first."""
    runs = run_store.unsettled(connection)
    installations = installation_store.unsettled(connection)
    return [
        *(f"runs/{each.run.id}" for each in runs if address in each.resolution.hosts),
        *(each.subject for each in installations if address in each.hosts),
    ]
