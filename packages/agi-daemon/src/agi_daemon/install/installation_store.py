"""Installations in the store."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence

from attrs import frozen

from agi_cluster.model.installation import Installation
from agi_daemon.store import pages
from agi_daemon.store.codec import dump, load
from agi_env.errors import InstallationNotFoundError


@frozen(kw_only=True)
class InstallationRecord:
    """One installation, as it is stored."""

    installation: Installation
    app_path: str
    hosts: tuple[str, ...]
    upgrade: bool = False
    release: str = ""
    """The digest of the kept release that is to be installed; empty: current sources."""

    @property
    def subject(self) -> str:
        """The name under which its events are numbered."""
        return f"installations/{self.installation.id}"


def insert(connection: sqlite3.Connection, record: InstallationRecord) -> None:
    """Store a new installation."""
    each = record.installation
    connection.execute(
        "INSERT INTO installations (id, app, settled, body) VALUES (?, ?, 0, ?)",
        (each.id, each.app, dump(record)),
    )


def update(connection: sqlite3.Connection, record: InstallationRecord) -> None:
    """Store an installation as it is now."""
    each = record.installation
    connection.execute(
        "UPDATE installations SET settled = ?, body = ? WHERE id = ?",
        (each.state.settled, dump(record), each.id),
    )


def find(connection: sqlite3.Connection, installation_id: str) -> InstallationRecord:
    """The installation of this id.

    Raises:
        InstallationNotFoundError: There is none.
    """
    sql = "SELECT body FROM installations WHERE id = ?"
    row = connection.execute(sql, (installation_id,)).fetchone()
    if row is None:
        raise InstallationNotFoundError(
            f"there is no installation {installation_id}",
            metadata={"installation": installation_id},
        )
    return load(row["body"], InstallationRecord)


def unsettled(connection: sqlite3.Connection) -> Sequence[InstallationRecord]:
    """All installations that are not settled, oldest first."""
    rows = connection.execute("SELECT body FROM installations WHERE NOT settled ORDER BY number")
    return [load(row["body"], InstallationRecord) for row in rows]


def page(
    connection: sqlite3.Connection, *, limit: int, token: str, app: str
) -> tuple[list[Installation], str]:
    """A page of installations, newest first, and the next token."""
    where = [("app = ?", app)] if app else []
    rows, following = pages.newest_first(
        connection, "installations", limit=limit, token=token, where=where
    )
    return [load(row["body"], InstallationRecord).installation for row in rows], following
