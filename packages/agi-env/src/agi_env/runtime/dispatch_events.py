"""What dispatch is told: facts about executors, partitions and people's wishes.

Every event carries ``at``, the time at which it happened, in seconds of the runner's clock;
dispatch itself has none. An executor is named by its slot and its number in the slot, whether it is
a child of the runner or of a worker elsewhere.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, TypeAlias

from agi_env.runtime.causes import EndCause, EndKind, FailureCause


@dataclass(frozen=True, slots=True)
class ExecutorStarted:
    """A process came into being; it has still to import the app."""

    slot: int
    executor: int
    pid: int
    at: float


@dataclass(frozen=True, slots=True)
class ExecutorReady:
    """An executor imported the app, started its worker and can be handed partitions.

    Attributes:
        slot: Where it is.
        executor: Which executor of the slot it is.
        reduces: Whether the app has a ``reduce``.
        at: When.
        proof: What shows that it is what the mode's bits 2 and 8 ask for: the ``module`` file that
            was loaded, the ``device`` and the ``arrays`` that it computes with.
    """

    slot: int
    executor: int
    reduces: bool
    at: float
    proof: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class ExecutorUnfit:
    """The app's own code kept an executor from starting; it would do so again anywhere."""

    slot: int
    executor: int
    cause: FailureCause
    at: float


@dataclass(frozen=True, slots=True)
class ExecutorStopped:
    """An executor called ``stop`` and is about to leave; the cause says if ``stop`` failed."""

    slot: int
    executor: int
    cause: FailureCause | None
    at: float


@dataclass(frozen=True, slots=True)
class ExecutorEnded:
    """An executor and everything below it is gone. Its last event."""

    slot: int
    executor: int
    cause: EndCause
    at: float


@dataclass(frozen=True, slots=True)
class PartitionBegan:
    """``work`` was called."""

    slot: int
    executor: int
    id: str
    attempt: int
    at: float


@dataclass(frozen=True, slots=True)
class PartitionFinished:
    """``work`` returned, and what it returned is on disk.

    Attributes:
        slot: Where it ran.
        executor: Which executor of the slot did it.
        id: The partition.
        attempt: Which attempt at it.
        seconds: Wall time of ``work``.
        cpu_seconds: Processor time of the executor and its children in that time.
        max_rss_bytes: The executor's largest resident size until then.
        sha256: Digest of the value's JSON text.
        bytes: Size of what was stored: the value and the files in ``out``.
        at: When this became known.
    """

    slot: int
    executor: int
    id: str
    attempt: int
    seconds: float
    cpu_seconds: float
    max_rss_bytes: int
    sha256: str
    bytes: int
    at: float


@dataclass(frozen=True, slots=True)
class PartitionFailed:
    """``work`` raised, exited or returned what cannot be kept; the executor lives."""

    slot: int
    executor: int
    id: str
    attempt: int
    cause: FailureCause
    at: float


@dataclass(frozen=True, slots=True)
class ReduceFinished:
    """``reduce`` returned, and what it returned is on disk."""

    slot: int
    executor: int
    attempt: int
    seconds: float
    sha256: str
    bytes: int
    at: float


@dataclass(frozen=True, slots=True)
class ReduceFailed:
    """``reduce`` raised or returned what cannot be kept; the executor lives."""

    slot: int
    executor: int
    cause: FailureCause
    at: float


@dataclass(frozen=True, slots=True)
class SlotJoined:
    """A worker holds a slot: executors can be started there.

    Attributes:
        slot: The slot.
        lease: The name of the worker's hold on it.
        worker: Where the worker is.
        at: When.
    """

    slot: int
    lease: str
    worker: str
    at: float


@dataclass(frozen=True, slots=True)
class SlotLost:
    """A slot's worker is gone, or silent for longer than its lease.

    What it ran may run on. Nothing that it says counts any more, and nothing more is heard of its
    executors.
    """

    slot: int
    reason: str
    at: float
    kind: EndKind = EndKind.DISCONNECTED

    @property
    def why(self) -> EndCause:
        """The loss as a cause."""
        return EndCause(self.kind, detail=self.reason)


@dataclass(frozen=True, slots=True)
class SlotGivenUp:
    """Nobody will try any more to have a worker for this slot."""

    slot: int
    reason: str
    at: float
    cause: EndCause | None = None

    @property
    def why(self) -> EndCause:
        """What is known of the cause."""
        return self.cause or EndCause(EndKind.LOST, detail=self.reason)


@dataclass(frozen=True, slots=True)
class SlotDrained:
    """Nothing more is to be begun in this slot; what runs there may finish."""

    slot: int
    reason: str
    at: float


@dataclass(frozen=True, slots=True)
class WorkerGone:
    """Whoever keeps the workers knows how one ended, or why nothing is heard of it."""

    slot: int
    cause: EndCause
    at: float


@dataclass(frozen=True, slots=True)
class CancelRequested:
    """Somebody wants the run to end: running partitions may finish within ``grace_s`` seconds."""

    grace_s: float
    at: float


@dataclass(frozen=True, slots=True)
class Published:
    """The run's directory is in place."""

    path: str
    at: float


@dataclass(frozen=True, slots=True)
class PublishFailed:
    """The run's directory could not be put in place; code and metadata are of the catalogue."""

    code: str
    metadata: dict[str, str]
    at: float


@dataclass(frozen=True, slots=True)
class Tick:
    """Time passed; sent when ``Dispatch.deadline`` is reached."""

    at: float


SeatEvent: TypeAlias = (
    ExecutorStarted
    | ExecutorReady
    | ExecutorUnfit
    | ExecutorStopped
    | ExecutorEnded
    | PartitionBegan
    | PartitionFinished
    | PartitionFailed
    | ReduceFinished
    | ReduceFailed
)
"""What is known through one executor."""

SlotEvent: TypeAlias = SlotJoined | SlotLost | SlotGivenUp | SlotDrained | WorkerGone
"""What is known of a slot's worker; there is none where executors are the runner's children."""

Event: TypeAlias = SeatEvent | SlotEvent | CancelRequested | Published | PublishFailed | Tick


def facts_of(event: SeatEvent) -> dict[str, Any]:
    """The fields of an event, as JSON has them."""
    # Not ``asdict``: it copies every value deeply, which takes ten times as long.
    facts = {name: getattr(event, name) for name in type(event).__slots__}
    if facts.get("cause") is not None:
        facts["cause"] = asdict(facts["cause"])
    return facts


def told_of(event: SeatEvent) -> dict[str, Any]:
    """What the journal says of an event; it has times of its own."""
    facts = facts_of(event)
    del facts["at"]
    return facts
