"""What changed in an app's settings since a snippet was rendered from them."""

from __future__ import annotations

import json
import sqlite3

from agi_daemon.store.store import Store
from agi_env.settings import Settings


def remember(connection: sqlite3.Connection, app: str, settings: Settings) -> None:
    """Keep the settings that a snippet is rendered from."""
    connection.execute(
        "INSERT OR IGNORE INTO rendered_settings VALUES (?, ?, ?)",
        (settings.digest, app, json.dumps(settings.to_data())),
    )


def differences_since(store: Store, digest: str, settings: Settings) -> tuple[str, ...]:
    """A line for each field that differs from the settings with this digest; empty if none does."""
    if digest == settings.digest:
        return ()
    rendered = remembered(store, digest)
    if rendered is None:
        return ("the settings have changed since this snippet was rendered",)
    return tuple(
        f"{field} was {old!r} when this snippet was rendered and is {new!r} in the settings now"
        for field, old, new in rendered.differences(settings)
    )


def remembered(store: Store, digest: str) -> Settings | None:
    """The settings with this digest; None if no snippet was rendered from them here."""
    row = store.read(lambda db: _body(db, digest))
    return None if row is None else Settings.from_data(json.loads(row))


def _body(connection: sqlite3.Connection, digest: str) -> str | None:
    sql = "SELECT body FROM rendered_settings WHERE digest = ?"
    row = connection.execute(sql, (digest,)).fetchone()
    return None if row is None else str(row["body"])
