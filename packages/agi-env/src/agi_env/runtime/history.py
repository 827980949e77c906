"""What a run's journal says has happened so far: the state that a new runner takes up."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from agi_env.runtime.causes import FailureCause

INHERITED_EPOCH = 0
"""The epoch of results that were taken over from another run: no runner has it."""


@dataclass(frozen=True, slots=True)
class Accepted:
    """A stored result that counts: where it is and the digest that it must have.

    Attributes:
        epoch: The epoch of the runner that accepted it.
        attempt: The attempt in that epoch.
        seconds: Wall time that it took.
        sha256: Digest of the value's JSON text.
    """

    epoch: int
    attempt: int
    seconds: float
    sha256: str


@dataclass(slots=True)
class History:
    """A journal, folded.

    Attributes:
        started_at: When the run's first runner started, in seconds of the journal; none if never.
        finished: The results that count, by partition.
        failed: The partitions that failed for good, and why.
        attempts: How often each partition was begun.
        deaths: How many of these attempts ended with their executor's death.
        moved: The slot that a partition was moved to.
        cancel_requested: Whether somebody asked for the end.
        reduced: What ``reduce`` stored.
        reduce_failed: Why ``reduce`` failed.
        published: The path of the published directory.
        settled: Whether the run is over.
    """

    started_at: float | None = None
    finished: dict[str, Accepted] = field(default_factory=dict)
    failed: dict[str, FailureCause] = field(default_factory=dict)
    attempts: dict[str, int] = field(default_factory=dict)
    deaths: dict[str, int] = field(default_factory=dict)
    moved: dict[str, int] = field(default_factory=dict)
    cancel_requested: bool = False
    reduced: Accepted | None = None
    reduce_failed: FailureCause | None = None
    published: str | None = None
    settled: bool = False

    @classmethod
    def of(cls, records: Iterable[Mapping[str, Any]]) -> History:
        """Fold a journal; kinds that say nothing about the state are passed over."""
        history = cls()
        for record in records:
            if (take := _FOLDS.get(record["kind"])) is not None:
                take(history, record)
        return history


def _runner_started(history: History, record: Mapping[str, Any]) -> None:
    if history.started_at is None:
        history.started_at = float(record["t"])


def _partition_started(history: History, record: Mapping[str, Any]) -> None:
    history.attempts[record["id"]] = history.attempts.get(record["id"], 0) + 1


def _partition_finished(history: History, record: Mapping[str, Any]) -> None:
    # A partition counts once: what was accepted first stays.
    history.finished.setdefault(record["id"], _accepted(record))


def _partition_inherited(history: History, record: Mapping[str, Any]) -> None:
    history.finished.setdefault(record["id"], _accepted({**record, "epoch": INHERITED_EPOCH}))


def _partition_failed(history: History, record: Mapping[str, Any]) -> None:
    if record["final"]:
        history.failed.setdefault(record["id"], FailureCause.from_dict(record["cause"]))
    else:
        history.deaths[record["id"]] = history.deaths.get(record["id"], 0) + 1


def _partition_moved(history: History, record: Mapping[str, Any]) -> None:
    history.moved[record["id"]] = int(record["to_slot"])


def _result_lost(history: History, record: Mapping[str, Any]) -> None:
    history.finished.pop(record["id"], None)


def _cancel_requested(history: History, record: Mapping[str, Any]) -> None:
    history.cancel_requested = True


def _reduce_finished(history: History, record: Mapping[str, Any]) -> None:
    history.reduced = _accepted(record)


def _reduce_failed(history: History, record: Mapping[str, Any]) -> None:
    history.reduce_failed = FailureCause.from_dict(record["cause"])


def _published(history: History, record: Mapping[str, Any]) -> None:
    history.published = str(record["path"])


def _settled(history: History, record: Mapping[str, Any]) -> None:
    history.settled = True


def _accepted(record: Mapping[str, Any]) -> Accepted:
    return Accepted(
        epoch=int(record["epoch"]),
        attempt=int(record["attempt"]),
        seconds=float(record["seconds"]),
        sha256=str(record["sha256"]),
    )


_FOLDS: Mapping[str, Callable[[History, Mapping[str, Any]], None]] = {
    "runner_started": _runner_started,
    "partition_started": _partition_started,
    "partition_finished": _partition_finished,
    "partition_inherited": _partition_inherited,
    "partition_failed": _partition_failed,
    "partition_moved": _partition_moved,
    "result_lost": _result_lost,
    "cancel_requested": _cancel_requested,
    "reduce_finished": _reduce_finished,
    "reduce_failed": _reduce_failed,
    "published": _published,
    "settled": _settled,
}
