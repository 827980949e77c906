"""Releases that were installed and can be installed again, and what is kept no longer."""

from __future__ import annotations

from datetime import datetime
from enum import Enum

from attrs import frozen

from agi_env.errors import AgiError
from agi_env.mode import Mode

DEFAULT_KEEP = 3
"""How many releases of each app are kept in any case."""

DEFAULT_UNUSED_DAYS = 14.0
"""What was used within so many days is kept."""


@frozen(kw_only=True)
class Release:
    """One release of an app."""

    app: str
    digest: str
    modes_enabled: Mode
    install_time: datetime
    current: bool
    """It is the one that was installed last."""
    changed_inputs: tuple[str, ...] = ()
    """Which inputs differ from the release that was installed before it."""


@frozen(kw_only=True)
class PruneReleases:
    """Remove what nothing needs."""

    hosts: tuple[str, ...] = ()
    """Their addresses; empty: all."""
    keep: int = DEFAULT_KEEP
    unused_days: float = DEFAULT_UNUSED_DAYS


class PrunedKind(Enum):
    """What takes room."""

    BUILD = "BUILD"
    WHEEL = "WHEEL"
    RUN = "RUN"
    CACHE = "CACHE"
    DRAFT = "DRAFT"
    RELEASE = "RELEASE"
    STORED_WHEEL = "STORED_WHEEL"


@frozen(kw_only=True)
class PrunedItem:
    """One thing that takes room."""

    kind: PrunedKind
    item: str
    """Its digest, file name or id."""
    size_bytes: int = 0
    """Without what it shares with others."""
    detail: str = ""
    """What it is of; for what is kept, why."""


@frozen(kw_only=True)
class HostPruning:
    """What was removed from one host, or would be."""

    host: str
    removed: tuple[PrunedItem, ...] = ()
    kept: tuple[PrunedItem, ...] = ()
    """The builds that stay."""
    error: AgiError | None = None


@frozen(kw_only=True)
class ReleasePruning:
    """What was removed, or would be."""

    id: str = ""
    hosts: tuple[HostPruning, ...]
