"""The rows of hosts."""

from __future__ import annotations

import sqlite3

from agi_daemon.hosts.host_record import HostRecord
from agi_daemon.store.codec import dump, load


def put(connection: sqlite3.Connection, record: HostRecord) -> None:
    """Keep a host as it is now."""
    connection.execute("INSERT OR REPLACE INTO hosts VALUES (?, ?)", (record.address, dump(record)))


def find(connection: sqlite3.Connection, address: str) -> HostRecord | None:
    """One host, if it is enrolled."""
    row = connection.execute("SELECT body FROM hosts WHERE address = ?", (address,)).fetchone()
    return load(row["body"], HostRecord) if row else None


def delete(connection: sqlite3.Connection, address: str) -> None:
    """Forget a host."""
    connection.execute("DELETE FROM hosts WHERE address = ?", (address,))


def every(connection: sqlite3.Connection) -> list[HostRecord]:
    """All hosts, by address."""
    rows = connection.execute("SELECT body FROM hosts ORDER BY address")
    return [load(row["body"], HostRecord) for row in rows]
