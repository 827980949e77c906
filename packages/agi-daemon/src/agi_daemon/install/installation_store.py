"""Installations in the store."""

from __future__ import annotations

import sqlite3

from attrs import frozen

from agi_cluster.model.installation import Installation
from agi_daemon.store.record_table import RecordTable
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


def _missing(installation_id: str) -> InstallationNotFoundError:
    return InstallationNotFoundError(
        f"there is no installation {installation_id}", metadata={"installation": installation_id}
    )


_TABLE = RecordTable(name="installations", record=InstallationRecord, missing=_missing)
find, unsettled = _TABLE.find, _TABLE.unsettled


def insert(connection: sqlite3.Connection, record: InstallationRecord) -> None:
    """Store a new installation."""
    each = record.installation
    _TABLE.insert(connection, each.id, record, settled=False, found_by={"app": each.app})


def update(connection: sqlite3.Connection, record: InstallationRecord) -> None:
    """Store an installation as it is now."""
    each = record.installation
    _TABLE.update(connection, each.id, record, settled=each.state.settled)


def page(
    connection: sqlite3.Connection, *, limit: int, token: str, app: str
) -> tuple[list[Installation], str]:
    """A page of installations, newest first, and the next token."""
    where = [("app = ?", app)] if app else []
    records, following = _TABLE.page(connection, limit=limit, token=token, where=where)
    return [record.installation for record in records], following
