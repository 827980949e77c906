"""The ledger of a run's partitions: what each has come to, and how often it was tried."""

from __future__ import annotations

from agi_env.runtime.causes import FailureCause
from agi_env.runtime.history import Accepted, History
from agi_env.runtime.partitions import Partition
from agi_env.runtime.spec import RunPlan


class Ledger:
    """What the partitions have come to; each is decided once.

    Attributes:
        finished: The results that count, by partition.
        failed: The partitions that failed for good and why, in the order of failing.
    """

    def __init__(self, plan: RunPlan, history: History) -> None:
        self.finished: dict[str, Accepted] = dict(history.finished)
        self.failed: dict[str, FailureCause] = dict(history.failed)
        self._partitions = plan.partitions
        self._places = {each.id: place for place, each in enumerate(plan.partitions)}
        self._attempts = dict(history.attempts)
        self._deaths = dict(history.deaths)

    def __len__(self) -> int:
        """How many partitions there are."""
        return len(self._partitions)

    @property
    def complete(self) -> bool:
        """Whether every partition is decided."""
        return len(self.finished) + len(self.failed) == len(self._partitions)

    def place(self, name: str) -> int:
        """The place of a partition in the plan."""
        return self._places[name]

    def partition(self, name: str) -> Partition:
        """The partition with this id."""
        return self._partitions[self._places[name]]

    def decided(self, name: str) -> bool:
        """Whether this partition has finished, or failed for good."""
        return name in self.finished or name in self.failed

    def next_attempt(self, name: str) -> int:
        """Count one more attempt and return its number."""
        self._attempts[name] = self._attempts.get(name, 0) + 1
        return self._attempts[name]

    def give_back(self, name: str) -> None:
        """Take back the last attempt: it is certain that it never began."""
        self._attempts[name] -= 1

    def count_death(self, name: str) -> int:
        """Count one more executor that died at this partition; how many that makes."""
        self._deaths[name] = self._deaths.get(name, 0) + 1
        return self._deaths[name]

    def deaths(self, name: str) -> int:
        """How many executors have died at this partition."""
        return self._deaths.get(name, 0)

    def summary(self, seconds: float) -> dict[str, float]:
        """The figures that a settled run shows."""
        return {
            "total": len(self._partitions),
            "succeeded": len(self.finished),
            "failed": len(self.failed),
            "seconds": round(seconds, 6),
        }
