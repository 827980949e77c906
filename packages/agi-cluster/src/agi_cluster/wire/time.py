"""Moments: aware datetimes here, ``google.protobuf.Timestamp`` on the wire."""

from __future__ import annotations

from datetime import UTC, datetime

from google.protobuf.message import Message
from google.protobuf.timestamp_pb2 import Timestamp


def time_to_wire(moment: datetime | None) -> Timestamp | None:
    """The moment as a message, to the microsecond; None leaves the field unset."""
    if moment is None:
        return None
    timestamp = Timestamp()
    timestamp.FromDatetime(moment)
    return timestamp


def time_from_wire(timestamp: Timestamp) -> datetime:
    """The moment, in UTC."""
    return timestamp.ToDatetime(tzinfo=UTC)


def optional_time(message: Message, field: str) -> datetime | None:
    """The moment in a field of a message; None where the field is unset."""
    return time_from_wire(getattr(message, field)) if message.HasField(field) else None
