"""Forgetting what is old: what counts as old, and what that takes."""

from __future__ import annotations

from datetime import datetime

from attrs import frozen


@frozen(kw_only=True)
class PrunePolicy:
    """What counts as old, in seconds; a part that is None takes nothing."""

    older_than: float | None = None
    """Settled runs of this age."""
    keep: int = 0
    """How many of the newest settled runs stay, however old they are."""
    events_older_than: float | None = None
    """Events of this age of what is settled and stays, but for the last of each."""
    requests_older_than: float | None = None
    """Request ids of this age."""


@frozen(kw_only=True)
class PrunedRun:
    """A run that is forgotten."""

    id: str
    app: str
    end_time: datetime | None = None
    bytes: int = 0
    """The size of its directories on all hosts."""
    kept: str = ""
    """The work area of a run that failed, which stays."""
    problem: str = ""
    """Why it stays all the same; empty where it goes."""


@frozen(kw_only=True)
class Pruning:
    """What was forgotten, or would be."""

    id: str = ""
    runs: tuple[PrunedRun, ...] = ()
    events: int = 0
    requests: int = 0

    @property
    def gone(self) -> tuple[PrunedRun, ...]:
        """The runs that nothing holds back."""
        return tuple(run for run in self.runs if not run.problem)

    @property
    def bytes(self) -> int:
        """The size of all directories that go."""
        return sum(run.bytes for run in self.gone)
