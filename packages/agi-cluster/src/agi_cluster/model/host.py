"""The machines that the daemon knows."""

from __future__ import annotations

from datetime import datetime
from enum import Enum

from attrs import frozen


class HostState(Enum):
    """Where a host stands."""

    READY = "READY"
    SUSPECT = "SUSPECT"


@frozen(kw_only=True)
class Host:
    """A machine on which partitions can be executed."""

    address: str
    cores: int
    state: HostState = HostState.READY
    reason: str = ""
    leased_cores: int = 0
    memory_bytes: int = 0
    python_version: str = ""
    platform: str = ""
    uv_version: str = ""
    check_time: datetime | None = None
