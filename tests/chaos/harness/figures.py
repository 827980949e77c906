"""The figures of a round: what was done to the system, and what it did."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from enum import StrEnum


class Breach(StrEnum):
    """In which way a promise was broken."""

    LOST = "lost"
    DUPLICATED = "duplicated"
    ORPHAN = "orphans"
    HALF_PUBLISHED = "half published"
    UNTRUE = "untrue"
    """What is said in one place is not what is said, or is so, in another."""
    FAILED = "failed"
    """A run failed, and nothing that was done to it excuses that."""


@dataclass(frozen=True, slots=True)
class Violation:
    """One broken promise."""

    breach: Breach
    where: str
    what: str

    def __str__(self) -> str:
        return f"{self.breach}: {self.where}: {self.what}"


@dataclass(slots=True)
class Figures:
    """Counted over a round, or over several.

    Attributes:
        faults: How often each fault struck.
        missed: How often a fault found nothing to strike.
        signals: The signals that were sent, by signal and by what was hit.
        runs: Accepted runs by the state they reached.
        causes: Runs that failed because of what was done, as they may, by the error's code.
        calls: What clients did out of the ordinary, such as hanging up.
        restarts: What was started again, such as daemons and runners, and partitions.
        violations: The broken promises.
        seconds: How long the rounds took.
    """

    faults: Counter[str] = field(default_factory=Counter)
    missed: Counter[str] = field(default_factory=Counter)
    signals: Counter[str] = field(default_factory=Counter)
    runs: Counter[str] = field(default_factory=Counter)
    causes: Counter[str] = field(default_factory=Counter)
    calls: Counter[str] = field(default_factory=Counter)
    restarts: Counter[str] = field(default_factory=Counter)
    violations: list[Violation] = field(default_factory=list)
    seconds: float = 0.0

    def breaches(self, breach: Breach) -> int:
        """How many promises of this kind were broken."""
        return sum(each.breach is breach for each in self.violations)

    def add(self, other: Figures) -> None:
        """Add those of another round."""
        for name in ("faults", "missed", "signals", "runs", "causes", "calls", "restarts"):
            getattr(self, name).update(getattr(other, name))
        self.violations += other.violations
        self.seconds += other.seconds

    def lines(self) -> Iterable[str]:
        """The figures as text."""
        yield f"faults ({self.faults.total()}): {_listed(self.faults)}"
        yield f"signals ({self.signals.total()}): {_listed(self.signals)}"
        daemons, workers = self._kills("daemon"), self._kills("worker")
        yield f"SIGKILLs of the daemon: {daemons}, of workers: {workers}"
        yield f"found nothing to strike: {_listed(self.missed)}"
        yield f"clients: {_listed(self.calls)}"
        yield f"runs ({self.runs.total()}): {_listed(self.runs)}"
        yield f"failed as they had to: {_listed(self.causes)}"
        yield f"started again: {_listed(self.restarts)}"
        yield ", ".join(f"{each}: {self.breaches(each)}" for each in Breach)

    def _kills(self, role: str) -> int:
        return sum(self.signals[f"SIGKILL {which}"] for which in (role, f"{role} on a host"))


def _listed(counter: Counter[str]) -> str:
    return ", ".join(f"{name} {count}" for name, count in sorted(counter.items())) or "none"
