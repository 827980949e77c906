"""Distribution plans."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from attrs import field, frozen

from agi_env.mode import Mode


@frozen(kw_only=True)
class PlanSlot:
    """One slot of a plan, with its load in units of weight."""

    index: int
    host: str
    cores: int
    speed: float = 1.0
    load: float = 0.0
    partition_count: int = 0
    predicted_finish: float = 0.0
    """``load / speed``."""


@frozen(kw_only=True)
class PlanFinding:
    """Something doubtful about a plan."""

    code: str
    message: str
    suggestion: str = ""


@frozen(kw_only=True)
class PlannedPartition:
    """One partition and its place."""

    index: int
    id: str
    label: str
    weight: float
    payload: Any
    slot: int
    host: str


@frozen(kw_only=True)
class Plan:
    """Partitions and the slot each is assigned to; a revision never changes."""

    id: str
    revision: int
    etag: str
    app: str
    mode: Mode
    scheduler: str
    slots: tuple[PlanSlot, ...]
    partition_count: int
    total_weight: float
    predicted_finish: float
    lower_bound: float
    selection_digest: str
    settings_digest: str
    digest: str
    create_time: datetime
    args: dict[str, Any] = field(factory=dict)
    findings: tuple[PlanFinding, ...] = ()

    @property
    def name(self) -> str:
        """The resource name of this revision."""
        return f"plans/{self.id}@{self.revision}"
