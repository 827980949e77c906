"""What dispatch wants done, to be carried out in the order given.

An ``Append`` stands before what follows from it: the fact is in the journal before anyone acts on
it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, TypeAlias


class RunState(StrEnum):
    """How a run settled."""

    SUCCEEDED = "SUCCEEDED"
    FAILED = "FAILED"
    CANCELLED = "CANCELLED"


@dataclass(frozen=True, slots=True)
class Append:
    """Append this fact to the journal."""

    kind: str
    fields: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class StartExecutor:
    """Start a process for this place; none lives there now."""

    slot: int
    executor: int


@dataclass(frozen=True, slots=True)
class HandPartition:
    """Send a partition to an executor, which does what it is handed in that order."""

    slot: int
    executor: int
    id: str
    attempt: int


@dataclass(frozen=True, slots=True)
class HandReduce:
    """Have an executor reduce the results of all partitions."""

    slot: int
    executor: int
    attempt: int


@dataclass(frozen=True, slots=True)
class StopExecutor:
    """Have an executor begin nothing new, call ``stop`` and leave."""

    slot: int
    executor: int


@dataclass(frozen=True, slots=True)
class KillExecutor:
    """End an executor now, with everything below it."""

    slot: int
    executor: int


@dataclass(frozen=True, slots=True)
class FenceSlot:
    """Take the loss of a slot for settled: only a worker that joins from now on may have it."""

    slot: int


@dataclass(frozen=True, slots=True)
class Publish:
    """Put the run's directory in place and remove the work area."""


@dataclass(frozen=True, slots=True)
class Settle:
    """The run is over; nothing of it lives. The last instruction.

    Attributes:
        state: How it ended.
        error: Code and metadata of the catalogue; none when it succeeded.
        summary: ``total``, ``succeeded``, ``failed`` partitions and ``seconds`` since its start.
    """

    state: RunState
    error: Mapping[str, Any] | None
    summary: Mapping[str, Any]


Instruction: TypeAlias = (
    Append
    | StartExecutor
    | HandPartition
    | HandReduce
    | StopExecutor
    | KillExecutor
    | FenceSlot
    | Publish
    | Settle
)
