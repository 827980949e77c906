"""A journal as its copy in the store has it, for a runner that goes on elsewhere."""

from __future__ import annotations

from collections.abc import Iterable

from agi_cluster.model.event import Event
from agi_env.runtime.journal import Record


def restored(events: Iterable[Event]) -> bytes:
    """The lines of the journal that a run's events were copied from.

    What the daemon itself noted carries no epoch and is no part of it. Numbers have no gaps, since
    each record was copied exactly once and in order.
    """
    copied = [event for event in events if "epoch" in event.data]
    return b"".join(_line(number, event) for number, event in enumerate(copied, start=1))


def _line(number: int, event: Event) -> bytes:
    data = dict(event.data)
    epoch = int(data.pop("epoch"))
    return Record(number, event.time.timestamp(), epoch, event.kind, data).to_line()
