"""Messages that are sent more than once, translated once."""

from __future__ import annotations

from collections.abc import Callable
from typing import Generic, TypeVar

from google.protobuf.message import Message as AnyMessage

Value = TypeVar("Value")
Message = TypeVar("Message", bound=AnyMessage)

_KEPT = 512
_LARGEST_KEPT = 16 * 1024
"""Bytes."""


class Translation(Generic[Value, Message]):
    """Translates values to messages, and remembers the last ones.

    The same object is asked for again by every watcher of a run, and by everybody who lists runs
    of which nothing has changed.

    Args:
        translate: Makes the message; neither it nor the value may change afterwards.
    """

    def __init__(self, translate: Callable[[Value], Message]) -> None:
        self._translate = translate
        # By identity: values have dictionaries in them, and comparing costs what is to be saved.
        # As long as the value is kept here, its id is nobody else's.
        self._known: dict[int, tuple[Value, Message]] = {}

    def __call__(self, value: Value) -> Message:
        """The message of a value."""
        known = self._known.get(id(value))
        if known is not None:
            return known[1]
        message = self._translate(value)
        if message.ByteSize() <= _LARGEST_KEPT:
            self._known[id(value)] = (value, message)
            if len(self._known) > _KEPT:
                del self._known[next(iter(self._known))]
        return message
