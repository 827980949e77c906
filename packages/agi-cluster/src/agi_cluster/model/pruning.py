"""Forgetting what is old: what counts as old, and what that takes."""

from __future__ import annotations

from datetime import datetime

from attrs import frozen


@frozen(kw_only=True)
class PrunePolicy:
    """What counts as old, in seconds; a part that is None takes nothing."""

    older_than: float | None = None
    """Settled runs and settled executions of pipelines of this age."""
    keep: int = 0
    """How many of the newest settled runs stay, however old they are, and how many of the newest
    settled executions of each pipeline's file."""
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
class PrunedPipelineRun:
    """An execution of a pipeline that is forgotten."""

    id: str
    file: str
    module: str
    end_time: datetime | None = None
    bytes: int = 0
    """The size of its steps' directories: code and logs, never outputs."""
    problem: str = ""
    """Why it stays all the same; empty where it goes."""


@frozen(kw_only=True)
class Pruning:
    """What was forgotten, or would be."""

    id: str = ""
    runs: tuple[PrunedRun, ...] = ()
    pipeline_runs: tuple[PrunedPipelineRun, ...] = ()
    events: int = 0
    requests: int = 0

    @property
    def gone(self) -> tuple[PrunedRun, ...]:
        """The runs that nothing holds back."""
        return tuple(run for run in self.runs if not run.problem)

    @property
    def gone_pipeline_runs(self) -> tuple[PrunedPipelineRun, ...]:
        """The executions of pipelines that nothing holds back."""
        return tuple(run for run in self.pipeline_runs if not run.problem)

    @property
    def bytes(self) -> int:
        """The size of all directories that go."""
        runs = sum(run.bytes for run in self.gone)
        return runs + sum(run.bytes for run in self.gone_pipeline_runs)
