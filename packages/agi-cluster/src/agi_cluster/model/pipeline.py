"""Pipelines: the steps in a ``lab_steps.toml``."""

from __future__ import annotations

from enum import Enum

from attrs import frozen

from agi_cluster.model.snippet import SnippetFacts, Staleness

ENGINES = ("agi.run", "agi.install", "runpy")
"""What executes a step. The first two are snippets that ask the daemon, and may be repeated."""


class Freshness(Enum):
    """Whether a step still says what the settings and sources do."""

    UNTRACKED = "UNTRACKED"
    CURRENT = "CURRENT"
    STALE = "STALE"


class StepState(Enum):
    """Where a step of an execution stands."""

    WAITING = "WAITING"
    RUNNING = "RUNNING"
    SUCCEEDED = "SUCCEEDED"
    FAILED = "FAILED"
    CANCELLED = "CANCELLED"
    INTERRUPTED = "INTERRUPTED"
    SKIPPED = "SKIPPED"
    BLOCKED = "BLOCKED"
    LEFT_OUT = "LEFT_OUT"

    @property
    def settled(self) -> bool:
        """It will not change in this execution, unless somebody asks for it."""
        return self not in (StepState.WAITING, StepState.RUNNING)

    @property
    def fulfilled(self) -> bool:
        """What depends on it may run."""
        return self in (StepState.SUCCEEDED, StepState.SKIPPED, StepState.LEFT_OUT)


@frozen(kw_only=True)
class PipelineStep:
    """One step of a pipeline, as its file has it."""

    id: str = ""
    number: int = 0
    """Its place in the order, from 1; 0: it is left out of the sequence."""
    deps: tuple[str, ...] = ()
    description: str = ""
    question: str = ""
    model: str = ""
    code: str = ""
    environment: str = ""
    """The folder of the environment that it runs in; empty: the daemon's own."""
    engine: str = ""
    """One of `ENGINES`; another one is kept and cannot be executed."""
    enabled: bool = True
    outputs: tuple[str, ...] = ()
    skip_if_outputs_exist: bool = False
    parallel_safe: bool = True
    timeout: float = 0.0
    """Seconds that it may take; 0: a day."""
    origin: SnippetFacts | None = None
    edited: bool = False
    """The code was changed by hand since it was recorded."""
    freshness: Freshness = Freshness.UNTRACKED
    stale: tuple[Staleness, ...] = ()
    latest_state: StepState | None = None
    """How it ended in the latest execution that has it."""


@frozen(kw_only=True)
class Pipeline:
    """The steps of one module of a file."""

    file: str
    module: str
    etag: str
    steps: tuple[PipelineStep, ...] = ()
    """In the order in which they run; those left out of it last."""
    serial: bool = True
    """No step names what it depends on: one runs after another."""
    latest_run: str = ""
    """The id of the latest execution."""
