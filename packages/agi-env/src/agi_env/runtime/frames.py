"""Frames: JSON objects with a length before each, as runner and executor exchange them."""

from __future__ import annotations

import json
import struct
from collections.abc import Iterator
from typing import Any, TypeAlias

from agi_env.errors import InternalError

Message: TypeAlias = dict[str, Any]

MAX_FRAME_BYTES = 256 * 1024 * 1024
"""The longest frame that is accepted; what is longer was never written by a peer of ours."""

_LENGTH = struct.Struct(">I")


def encode(message: Message) -> bytes:
    """One frame: the length of the body in four bytes, highest first, and the body.

    Raises:
        InternalError: The message is larger than a frame may be.
    """
    body = json.dumps(message, separators=(",", ":"), allow_nan=False).encode()
    if len(body) > MAX_FRAME_BYTES:
        raise InternalError(f"a frame of {len(body)} bytes exceeds the limit")
    return _LENGTH.pack(len(body)) + body


class FrameDecoder:
    """Turns a stream of bytes, cut anywhere, into the messages that it carries."""

    def __init__(self) -> None:
        self._buffer = bytearray()

    def feed(self, data: bytes) -> Iterator[Message]:
        """Take the next bytes; iterate over the messages that are complete with them.

        Raises:
            InternalError: The stream carries no frames.
        """
        self._buffer += data
        while (body := self._next_body()) is not None:
            yield _message(body)

    def _next_body(self) -> bytes | None:
        if len(self._buffer) < _LENGTH.size:
            return None
        (length,) = _LENGTH.unpack_from(self._buffer)
        if length > MAX_FRAME_BYTES:
            raise InternalError(f"a frame claims {length} bytes")
        end = _LENGTH.size + length
        if len(self._buffer) < end:
            return None
        body = bytes(self._buffer[_LENGTH.size : end])
        del self._buffer[:end]
        return body


def _message(body: bytes) -> Message:
    try:
        message = json.loads(body)
    except ValueError as error:
        raise InternalError(f"a frame is no JSON: {error}") from error
    if not isinstance(message, dict):
        raise InternalError("a frame is no JSON object")
    return message
