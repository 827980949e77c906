"""What the daemon tells a runner about its slots, over the control socket."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from agi_env.errors import RequestInvalidError
from agi_env.runtime import dispatch_events as events
from agi_env.runtime.causes import EndCause
from agi_env.runtime.spec import RunSpec

_DRAINED = "its host is drained"


def slot_event(
    command: Mapping[str, Any], spec: RunSpec, at: float
) -> events.SlotGivenUp | events.SlotDrained | events.WorkerGone | None:
    """The event in a command about a slot; none when the command is about something else.

    Raises:
        RequestInvalidError: The run has no such slot, or the cause is none.
    """
    event: events.SlotGivenUp | events.SlotDrained | events.WorkerGone
    match command:
        case {"op": "give_up_slot", "slot": int(slot), "reason": str(reason)}:
            event = events.SlotGivenUp(slot, reason, at, _cause(command))
        case {"op": "drain", "slot": int(slot)}:
            event = events.SlotDrained(slot, str(command.get("reason") or _DRAINED), at)
        case {"op": "worker_gone", "slot": int(slot), "cause": dict(facts)}:
            event = events.WorkerGone(slot, _understood(facts), at)
        case _:
            return None
    if event.slot not in {each.index for each in spec.slots}:
        raise RequestInvalidError(f"the run has no slot {event.slot}")
    return event


def _cause(command: Mapping[str, Any]) -> EndCause | None:
    facts = command.get("cause")
    return _understood(facts) if isinstance(facts, dict) else None


def _understood(facts: Mapping[str, Any]) -> EndCause:
    try:
        return EndCause.from_dict(facts)
    except (KeyError, TypeError, ValueError) as error:
        raise RequestInvalidError(f"{dict(facts)!r} is no cause: {error}") from error
