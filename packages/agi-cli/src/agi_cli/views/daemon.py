"""The daemon as people see it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from rich.console import RenderableType

from agi_cli.views.grid import facts, path
from agi_cluster.model.daemon import Backup, DaemonInfo
from agi_cluster.text import moment


def daemon_facts(daemon: DaemonInfo) -> RenderableType:
    """One daemon."""
    return facts(
        [
            ("daemon", f"version {daemon.version}, API {daemon.api}, pid {daemon.pid}"),
            ("since", moment(daemon.start_time)),
            ("runs", f"{daemon.active_runs} not settled"),
            ("address", daemon.address),
            ("state", path(daemon.state_directory)),
            ("log", path(daemon.log_path)),
        ]
    )


def backup_facts(backup: Backup) -> RenderableType:
    """One backup."""
    return facts(
        [
            ("backup", path(backup.path)),
            ("made", moment(backup.create_time)),
            ("size", f"{backup.bytes / 1e6:.1f} MB, schema {backup.schema}"),
        ]
    )


def recovery_facts(done: Mapping[str, Any]) -> RenderableType:
    """What a restore or a rebuild came to."""
    counts = ("restored", "adopted", "known", "left")
    rows = [
        ("backup", path(str(done["backup"]))),
        ("store before", path(str(done["aside"]))),
        ("runs", ", ".join(f"{done[each]} {each}" for each in counts)),
        *((name, reason) for name, reason in done["reasons"].items()),
    ]
    return facts([row for row in rows if row[1]])
