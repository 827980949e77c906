"""Numbered facts about a watched resource."""

from __future__ import annotations

from agi_cluster.api.v1 import common_pb2
from agi_cluster.model.event import Event
from agi_cluster.wire.json_value import struct_from_wire, struct_to_wire
from agi_cluster.wire.time import time_from_wire, time_to_wire


def event_to_wire(event: Event) -> common_pb2.Event:
    """The event as a message."""
    return common_pb2.Event(
        sequence=event.sequence,
        time=time_to_wire(event.time),
        kind=event.kind,
        data=struct_to_wire(event.data, where="data"),
        verbosity=event.verbosity,
    )


def event_from_wire(event: common_pb2.Event) -> Event:
    """The event in a message."""
    return Event(
        sequence=event.sequence,
        time=time_from_wire(event.time),
        kind=event.kind,
        data=struct_from_wire(event.data),
        verbosity=event.verbosity,
    )
