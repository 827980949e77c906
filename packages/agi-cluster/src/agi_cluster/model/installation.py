"""Installs of an app's worker runtime."""

from __future__ import annotations

from datetime import datetime
from enum import Enum

from attrs import frozen

from agi_env.errors import AgiError
from agi_env.mode import Mode


class InstallationState(Enum):
    """Where an installation, or one host of it, stands."""

    PENDING = "PENDING"
    INSTALLING = "INSTALLING"
    SUCCEEDED = "SUCCEEDED"
    FAILED = "FAILED"

    @property
    def settled(self) -> bool:
        """It will not change any more."""
        return self in (InstallationState.SUCCEEDED, InstallationState.FAILED)


@frozen(kw_only=True)
class HostInstallation:
    """An installation on one host."""

    host: str
    state: InstallationState = InstallationState.PENDING
    build: str = ""
    unchanged: bool = False
    shipped_wheels: tuple[str, ...] = ()
    shipped_bytes: int = 0
    seconds: float = 0.0
    error: AgiError | None = None


@frozen(kw_only=True)
class Installation:
    """One install of one release on some hosts."""

    id: str
    app: str
    state: InstallationState
    modes_enabled: Mode
    create_time: datetime
    release: str = ""
    changed_inputs: tuple[str, ...] = ()
    hosts: tuple[HostInstallation, ...] = ()
    end_time: datetime | None = None
    error: AgiError | None = None
    unchanged: bool = False
