"""Distribution plans."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
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
    """When the last of its executors is done, in units of weight at speed 1."""
    executors: int = 1
    timings: int = 0
    """How many timings of earlier runs say how fast its host is; 0: its speed is not known."""

    @property
    def pace(self) -> float:
        """The speed of one of its executors."""
        return self.speed / self.executors


@frozen(kw_only=True)
class PlanFinding:
    """Something doubtful about a plan."""

    code: str
    message: str
    suggestion: str = ""
    numbers: dict[str, float] = field(factory=dict)
    """What the message is based on, by name."""


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
    pinned: bool = False
    """A rebalance leaves it on its slot."""


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
    slot_count: int = 0
    """Lists leave the slots themselves out."""
    pinned_count: int = 0
    change: str = ""
    """What made this revision, for people."""
    base_revision: int = 0
    """The revision that it was made from; 0 for the first."""
    weight_per_second: float = 0.0
    """What a slot of speed 1 did in earlier runs; 0 where nothing is known."""
    printed: str = ""
    """The end of what ``partitions()`` printed, where the plan has just been made; not stored."""

    @property
    def name(self) -> str:
        """The resource name of this revision."""
        return f"plans/{self.id}@{self.revision}"

    @property
    def predicted_seconds(self) -> float | None:
        """The predicted finish in seconds; None where no earlier run tells."""
        return self.predicted_finish / self.weight_per_second if self.weight_per_second else None

    @property
    def slot_names(self) -> dict[int, str]:
        """``host/rank`` for every slot, by its index."""
        return slot_names((slot.index, slot.host) for slot in self.slots)


def slot_names(slots: Iterable[tuple[int, str]]) -> dict[int, str]:
    """Name every slot ``host/rank``, its rank among the slots of its host, by its index.

    The name means the same in two plans whose hosts differ; the index does not.
    """
    seen: Counter[str] = Counter()
    names: dict[int, str] = {}
    for index, host in sorted(slots):
        names[index] = f"{host}/{seen[host]}"
        seen[host] += 1
    return names
