"""Executions of pipelines."""

from __future__ import annotations

from datetime import datetime
from enum import Enum

from attrs import frozen

from agi_cluster.model.pipeline import StepState
from agi_cluster.model.snippet import SnippetFacts
from agi_env.errors import AgiError


class PipelineRunState(Enum):
    """Where an execution stands."""

    RUNNING = "RUNNING"
    CANCELLING = "CANCELLING"
    SUCCEEDED = "SUCCEEDED"
    FAILED = "FAILED"
    CANCELLED = "CANCELLED"

    @property
    def settled(self) -> bool:
        """It will not change any more."""
        return self not in (PipelineRunState.RUNNING, PipelineRunState.CANCELLING)


@frozen(kw_only=True)
class LinkedResource:
    """Something that a step made through the daemon."""

    name: str
    """``runs/ID``, ``plans/ID@REVISION`` or ``installations/ID``."""
    state: str = ""
    """Its state when the step ended; empty for a plan."""
    plan: str = ""
    """The plan revision of a run."""
    release: str = ""
    forgotten: bool = False
    """It was pruned since, and the daemon knows nothing more of it than this."""

    @property
    def told(self) -> str:
        """Its name, and whether there still is something behind it."""
        return f"{self.name} (forgotten)" if self.forgotten else self.name


@frozen(kw_only=True)
class StepOutput:
    """An output that a step declares, as it was when the step ended."""

    path: str
    """As it is declared."""
    place: str = ""
    """Where it was found; empty: nowhere."""
    sha256: str = ""
    """Of its content; of a folder, that of the names and contents of its files."""
    bytes: int = 0
    files: int = 0


@frozen(kw_only=True)
class StepExecution:
    """One step of an execution."""

    step: str
    description: str = ""
    engine: str
    environment: str = ""
    code: str = ""
    code_digest: str
    deps: tuple[str, ...] = ()
    """The steps that have to be fulfilled before it."""
    origin: SnippetFacts | None = None
    state: StepState = StepState.WAITING
    attempt: int = 0
    """From 1; 0 before the first."""
    starts: int = 0
    """How often this attempt was started: more than once only where a crash lost it."""
    start_time: datetime | None = None
    end_time: datetime | None = None
    exit_code: int | None = None
    error: AgiError | None = None
    reason: str = ""
    """Why it was skipped, blocked or left out, or where it was carried over from."""
    linked: tuple[LinkedResource, ...] = ()
    outputs: tuple[StepOutput, ...] = ()

    @property
    def seconds(self) -> float:
        """How long it took; 0 before it has ended."""
        if self.start_time is None or self.end_time is None:
            return 0.0
        return (self.end_time - self.start_time).total_seconds()


@frozen(kw_only=True)
class PipelineRun:
    """One execution of a pipeline."""

    id: str
    file: str
    module: str
    state: PipelineRunState
    create_time: datetime
    target: PipelineRunState = PipelineRunState.SUCCEEDED
    etag: str = ""
    """That of the file as it was read."""
    steps: tuple[StepExecution, ...] = ()
    end_time: datetime | None = None
    error: AgiError | None = None
    origin: str = ""
    """The id of the execution that it repeats or goes on with."""
    warnings: tuple[str, ...] = ()
