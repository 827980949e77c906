"""The daemon as people see it."""

from __future__ import annotations

from rich.console import RenderableType

from agi_cli.views.grid import facts
from agi_cluster.model.daemon import DaemonInfo
from agi_cluster.text import moment


def daemon_facts(daemon: DaemonInfo) -> RenderableType:
    """One daemon."""
    return facts(
        [
            ("daemon", f"version {daemon.version}, API {daemon.api}, pid {daemon.pid}"),
            ("since", moment(daemon.start_time)),
            ("runs", f"{daemon.active_runs} not settled"),
            ("address", daemon.address),
            ("state", daemon.state_directory),
            ("log", daemon.log_path),
        ]
    )
