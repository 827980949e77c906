"""Moments: aware datetimes here, ``google.protobuf.Timestamp`` on the wire."""

from __future__ import annotations

from datetime import UTC, datetime

from google.protobuf.message import Message
from google.protobuf.timestamp_pb2 import Timestamp

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_SECONDS_A_DAY = 86_400


def time_to_wire(moment: datetime | None) -> Timestamp | None:
    """The moment as a message, to the microsecond; None leaves the field unset."""
    if moment is None:
        return None
    since = moment - _EPOCH
    # Timestamp.FromDatetime says the same in three times the time, and lists are full of moments.
    seconds = since.days * _SECONDS_A_DAY + since.seconds
    return Timestamp(seconds=seconds, nanos=since.microseconds * 1000)


def time_from_wire(timestamp: Timestamp) -> datetime:
    """The moment, in UTC."""
    return timestamp.ToDatetime(tzinfo=UTC)


def optional_time(message: Message, field: str) -> datetime | None:
    """The moment in a field of a message; None where the field is unset."""
    return time_from_wire(getattr(message, field)) if message.HasField(field) else None
