"""What a worker and its runner say to each other, besides the tasks that Dask carries.

All of it is JSON. Up go ``join``, ``renew`` and ``event``; down come ``granted``, ``fenced``,
``start``, ``send``, ``kill`` and ``end``. A task is the text of one message to one executor, with
its turn: the executor gets its messages in the order in which they were sent, and a later start of
it gets none of them.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from agi_env.errors import InternalError
from agi_env.runtime import dispatch_events as events
from agi_env.runtime.causes import EndCause, FailureCause
from agi_env.runtime.frames import Message

# Upwards.


def join(slot: int, epoch: int, sent_at: float) -> Message:
    """Grant me this slot under this runner; the time is mine, and comes back with the answer."""
    return {"op": "join", "slot": slot, "epoch": epoch, "sent_at": sent_at}


def renew(lease: str, sent_at: float) -> Message:
    """Prolong my lease; the time is mine, and comes back with the answer."""
    return {"op": "renew", "lease": lease, "sent_at": sent_at}


def event(lease: str, what: events.SeatEvent) -> Message:
    """This happened to an executor of mine."""
    facts = events.facts_of(what)
    return {"op": "event", "lease": lease, "kind": type(what).__name__, "facts": facts}


# Downwards.


def granted(lease: str, sent_at: float) -> Message:
    """The lease is yours, from the time at which you asked."""
    return {"op": "granted", "lease": lease, "sent_at": sent_at}


def fenced(reason: str) -> Message:
    """You hold no lease: nothing that you say counts any more."""
    return {"op": "fenced", "reason": reason}


def start(executor: int, start: int) -> Message:
    """Start an executor; its starts are numbered."""
    return {"op": "start", "executor": executor, "start": start}


def send(executor: int, message: Message) -> Message:
    """Pass this on to an executor at once."""
    return {"op": "send", "executor": executor, "message": message}


def kill(executor: int) -> Message:
    """End an executor with everything below it."""
    return {"op": "kill", "executor": executor}


def end() -> Message:
    """The run needs you no more."""
    return {"op": "end"}


def task(executor: int, start: int, turn: int, message: Message) -> str:
    """The text of a task: pass this on to this start of an executor when its turn has come."""
    what = {"executor": executor, "start": start, "turn": turn, "message": message}
    return json.dumps(what, allow_nan=False)


def understood_event(message: Mapping[str, Any], at: float) -> events.SeatEvent:
    """The event that a worker told of, at the time at which it became known here.

    Raises:
        InternalError: No worker of ours says so.
    """
    cls, facts = _EVENTS.get(message["kind"]), dict(message["facts"])
    if cls is None:
        raise InternalError(f"a worker said {message['kind']!r}")
    if facts.get("cause") is not None:
        kind = EndCause if cls is events.ExecutorEnded else FailureCause
        facts["cause"] = kind.from_dict(facts["cause"])
    try:
        return cls(**{**facts, "at": at})
    except TypeError as error:
        raise InternalError(f"a worker said {message['kind']!r} wrongly: {error}") from error


_EVENTS: dict[str, type[events.SeatEvent]] = {
    cls.__name__: cls
    for cls in (
        events.ExecutorStarted,
        events.ExecutorReady,
        events.ExecutorUnfit,
        events.ExecutorStopped,
        events.ExecutorEnded,
        events.PartitionBegan,
        events.PartitionFinished,
        events.PartitionFailed,
        events.ReduceFinished,
        events.ReduceFailed,
    )
}
