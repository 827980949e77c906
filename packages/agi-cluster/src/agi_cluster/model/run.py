"""Runs: the execution of exactly one plan revision."""

from __future__ import annotations

from datetime import datetime
from enum import Enum
from typing import Any

from attrs import field, frozen

from agi_env.errors import AgiError
from agi_env.mode import Mode


class RunState(Enum):
    """Where a run stands; settled states are named as facts, moving ones as ``-ING``."""

    QUEUED = "QUEUED"
    INSTALLING = "INSTALLING"
    PLANNING = "PLANNING"
    STARTING = "STARTING"
    RUNNING = "RUNNING"
    CANCELLING = "CANCELLING"
    SUCCEEDED = "SUCCEEDED"
    FAILED = "FAILED"
    CANCELLED = "CANCELLED"

    @property
    def settled(self) -> bool:
        """It will not change any more."""
        return self in (RunState.SUCCEEDED, RunState.FAILED, RunState.CANCELLED)


class PartitionState(Enum):
    """Where a partition of a run stands."""

    WAITING = "WAITING"
    RUNNING = "RUNNING"
    SUCCEEDED = "SUCCEEDED"
    FAILED = "FAILED"


@frozen(kw_only=True)
class RunProgress:
    """How far a run is, in partitions and in weight."""

    total: int = 0
    succeeded: int = 0
    failed: int = 0
    running: int = 0
    weight_done: float = 0.0
    weight_total: float = 0.0


@frozen(kw_only=True)
class RunPaths:
    """Where the files of a run are, on the hosts that made them."""

    published: str = ""
    kept: str = ""
    run_directory: str = ""


@frozen(kw_only=True)
class Cause:
    """Why a partition failed, or why an executor, a worker or a runner ended."""

    kind: str
    message: str = ""
    exit_code: int | None = None
    signal: int | None = None
    log_tail: str = ""


@frozen(kw_only=True)
class RunSlot:
    """What one slot did; seconds are summed over its partitions."""

    index: int
    host: str
    cores: int
    partitions: int = 0
    busy_seconds: float = 0.0
    cpu_seconds: float = 0.0
    weight: float = 0.0
    """Of the partitions that it finished."""
    lost: Cause | None = None
    """Why it was last without its worker."""


@frozen(kw_only=True)
class RunPartition:
    """One partition of a run."""

    id: str
    label: str
    weight: float
    state: PartitionState
    slot: int
    attempts: int = 0
    seconds: float = 0.0
    cpu_seconds: float = 0.0
    error: AgiError | None = None
    traceback: str = ""
    start_time: datetime | None = None
    moved_because: str = ""
    """Why it is not on the slot that the plan names; empty where it is."""
    cause: Cause | None = None
    """Why the latest attempt failed."""
    executor_deaths: int = 0
    quarantined: bool = False
    inherited_from: str = ""
    """The run that did it, when it was another."""


@frozen(kw_only=True)
class SnippetOrigin:
    """What the snippet that starts a run was rendered from."""

    api: str
    settings_digest: str


@frozen(kw_only=True)
class Run:
    """The execution of one plan revision in one mode on one release."""

    id: str
    app: str
    mode: Mode
    state: RunState
    create_time: datetime
    target: RunState = RunState.SUCCEEDED
    plan: str = ""
    """The plan revision as ``plans/{id}@{revision}``, once there is one."""
    plan_digest: str = ""
    release: str = ""
    start_time: datetime | None = None
    end_time: datetime | None = None
    progress: RunProgress = RunProgress()
    error: AgiError | None = None
    result: Any = None
    """What ``reduce`` returned."""
    paths: RunPaths = RunPaths()
    slots: tuple[RunSlot, ...] = ()
    warnings: tuple[str, ...] = ()
    epoch: int = 0
    waiting_for: str = ""
    args: dict[str, Any] = field(factory=dict)
    installed: str = ""
    verbose: int = 1
    retry_of: str = ""
    """The id of the run whose unfinished part this one does."""
    runner_lost: Cause | None = None
    """How its runner last ended before its time."""
    uncleared_hosts: tuple[str, ...] = ()
    """Hosts that did not answer when it ended."""
