"""What runner and executor say to each other, and what it means to dispatch."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any

from agi_env.errors import InternalError
from agi_env.runtime import dispatch_events as events
from agi_env.runtime.causes import FailureCause
from agi_env.runtime.frames import Message
from agi_env.runtime.history import Accepted
from agi_env.runtime.partitions import Partition
from agi_env.runtime.spec import RunSpec, SlotSpec


def start(spec: RunSpec, slot: SlotSpec, executor: int) -> Message:
    """The first message to an executor: what to import and what to tell the app."""
    context = {
        "app": spec.app,
        "target": spec.target,
        "mode": spec.mode,
        "verbose": spec.verbose,
        "data_in": spec.data_in,
        "data_out": spec.data_out,
        "slot": slot.index,
        "executor": executor,
        "cores": slot.threads,
        "device": slot.device_of(executor),
    }
    return {"op": "start", "target": spec.target, "context": context, "args": dict(spec.args)}


def work(partition: Partition, attempt: int, directory: Path) -> Message:
    """Do this partition, in this directory."""
    return {
        "op": "work",
        "partition": partition.to_dict(),
        "attempt": attempt,
        "directory": str(directory),
    }


def reduce(
    results: Iterable[tuple[Partition, Accepted, Path]], attempt: int, directory: Path
) -> Message:
    """Reduce these results; what comes out goes into this directory."""
    listed = [
        {"partition": partition.to_dict(), "sha256": accepted.sha256, "directory": str(where)}
        for partition, accepted, where in results
    ]
    return {"op": "reduce", "results": listed, "attempt": attempt, "directory": str(directory)}


def stop() -> Message:
    """Begin nothing new, stop and leave."""
    return {"op": "stop"}


def understood(
    slot: int, executor: int, message: Message, log_tail: str, at: float
) -> events.SeatEvent:
    """The event that an executor's message is.

    Args:
        slot: The executor's slot.
        executor: Its number there.
        message: What it said.
        log_tail: What it printed last; goes with a failure.
        at: When.

    Raises:
        InternalError: No executor of ours says so.
    """
    facts: dict[str, Any] = {"slot": slot, "executor": executor, "at": at, **message}
    kind = _EVENTS.get(facts.pop("op"))
    if kind is None:
        raise InternalError(f"an executor said {message['op']!r}")
    if facts.get("cause") is not None:
        facts["cause"] = replace(FailureCause.from_dict(facts["cause"]), log_tail=log_tail)
    try:
        return kind(**facts)
    except TypeError as error:
        raise InternalError(f"an executor said {message['op']!r} wrongly: {error}") from error


_EVENTS: dict[str, type[events.SeatEvent]] = {
    "ready": events.ExecutorReady,
    "unfit": events.ExecutorUnfit,
    "stopped": events.ExecutorStopped,
    "began": events.PartitionBegan,
    "finished": events.PartitionFinished,
    "failed": events.PartitionFailed,
    "reduced": events.ReduceFinished,
    "reduce_failed": events.ReduceFailed,
}
