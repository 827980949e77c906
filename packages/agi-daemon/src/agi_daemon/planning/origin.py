"""What a plan was made from: the call, what it meant then, and what the app named."""

from __future__ import annotations

from attrs import frozen

from agi_cluster.model.requests import CreatePlan
from agi_daemon.apps.resolution import Resolution


@frozen
class NamedFacts:
    """What there is to know of the partitions of a plan as a whole."""

    digest: str
    """The sha256 of the partitions that the app named."""
    heaviest_id: str
    heaviest_weight: float


@frozen(kw_only=True)
class PlanOrigin:
    """Kept with a plan, the same for all of its revisions."""

    request: CreatePlan
    """What the call said itself; what it left open came from the settings."""
    resolution: Resolution
    """What that amounted to with the settings as they were."""
    partitions_digest: str
    """The sha256 of the partitions that the app named."""
    heaviest_id: str = ""
    heaviest_weight: float = 0.0

    @property
    def facts(self) -> NamedFacts:
        """What there is to know of the partitions as a whole."""
        return NamedFacts(self.partitions_digest, self.heaviest_id, self.heaviest_weight)
