"""Apps and the settings that their users keep."""

from __future__ import annotations

from typing import Any

from attrs import frozen

from agi_cluster.model.selection import Selection
from agi_env.mode import Mode


@frozen(kw_only=True)
class App:
    """A project folder that the daemon knows."""

    name: str
    """The name of its folder, such as ``flights_project``."""
    target: str
    path: str
    settings_path: str
    requires_python: str = ""


@frozen(kw_only=True)
class AppSettings:
    """The user's copy of an app's settings, and what follows from it."""

    app: str
    etag: str
    digest: str
    path: str
    text: str
    args: dict[str, Any]
    mode: Mode
    modes_enabled: Mode
    cluster_enabled: bool
    pool: bool
    cython: bool
    rapids: bool
    verbose: int
    selection: Selection
    partition_timeout: float
    """Seconds a partition may take; 0 means no limit."""
    run_timeout: float
    """Seconds a run may take."""
    explanation: tuple[str, ...] = ()


@frozen(kw_only=True)
class SettingChange:
    """One key to set to a TOML value, or to remove."""

    key: str
    value: str = ""
    unset: bool = False
