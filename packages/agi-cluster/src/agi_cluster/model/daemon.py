"""The daemon as its clients see it."""

from __future__ import annotations

from datetime import datetime

from attrs import frozen


@frozen(kw_only=True)
class Backup:
    """A copy of the daemon's database."""

    path: str
    """Its absolute path on the manager."""
    bytes: int
    schema: int
    create_time: datetime


@frozen(kw_only=True)
class DaemonInfo:
    """A running daemon."""

    version: str
    api: str
    pid: int
    start_time: datetime
    state_directory: str
    log_path: str
    schema: int
    active_runs: int
    address: str
