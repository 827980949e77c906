"""The machines that the daemon knows."""

from __future__ import annotations

from datetime import datetime
from enum import Enum

from attrs import frozen

from agi_env.errors import AgiError


class HostState(Enum):
    """Where a host stands.

    SUSPECT judges nothing: what runs on a host that does not answer goes on, and its next answer
    makes it READY. In KEY_CHANGED and UNTRUSTED nothing is sent to it.
    """

    READY = "READY"
    SUSPECT = "SUSPECT"
    UNTRUSTED = "UNTRUSTED"
    KEY_CHANGED = "KEY_CHANGED"
    UNUSABLE = "UNUSABLE"


@frozen(kw_only=True)
class Host:
    """A machine on which partitions can be executed."""

    address: str
    """What worker maps call it: a name or an address."""
    cores: int
    state: HostState = HostState.READY
    reason: str = ""
    """Why it stands there, in words; empty for READY."""
    error: AgiError | None = None
    """What is wrong with it, with what to do about it."""
    leased_cores: int = 0
    drained: bool = False
    """Nothing new is placed on it."""
    user: str = ""
    port: int = 0
    identity_file: str = ""
    """The path of the private key on the manager; empty: the usual ones and the agent."""
    offered_fingerprint: str = ""
    """Of the key that it showed last."""
    fingerprint: str = ""
    """Of the accepted key."""
    memory_bytes: int = 0
    python_version: str = ""
    python_path: str = ""
    pythons: tuple[str, ...] = ()
    """Every Python that was found there, as ``3.11.7 /usr/bin/python3``."""
    platform: str = ""
    os: str = ""
    libc: str = ""
    uv_version: str = ""
    uv_path: str = ""
    gpus: tuple[str, ...] = ()
    account: str = ""
    """The name of the account that the login led to."""
    home: str = ""
    root: str = ""
    """The directory there that is ours."""
    disk_free_bytes: int = 0
    clock_offset: float = 0.0
    """Seconds by which its clock is ahead of the manager's."""
    boot_id: str = ""
    check_time: datetime | None = None
    """When it was looked at last, whether it answered or not."""
    seen_time: datetime | None = None
    """When it answered last."""
    create_time: datetime | None = None
    etag: str = ""
    """Changes with the login, the accepted key and the draining."""
