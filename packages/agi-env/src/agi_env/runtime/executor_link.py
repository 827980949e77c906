"""The executor's end of its link: blocking, and closed to the processes that the app forks."""

from __future__ import annotations

import os
import select
import socket
from collections import deque

from agi_env.runtime.frames import FrameDecoder, Message, encode

_CHUNK_BYTES = 256 * 1024


class ExecutorLink:
    """Messages to and from whoever started this executor."""

    def __init__(self, descriptor: int) -> None:
        self._socket = socket.socket(fileno=descriptor)
        self._socket.setblocking(True)
        self._socket.set_inheritable(False)
        self._decoder = FrameDecoder()
        self._inbox: deque[Message] = deque()
        self._unsent = bytearray()
        # A child of the app that comes back from work() must not speak in our name.
        os.register_at_fork(after_in_child=self._socket.close)

    def send(self, message: Message) -> None:
        """Send one message, and what was put off before it.

        Raises:
            OSError: Nobody is there to take it, or this is a forked child.
        """
        self.put_off(message)
        self.flush()

    def put_off(self, message: Message) -> None:
        """Send one message with the next, or before waiting: whoever reads wakes once for both."""
        self._unsent += encode(message)

    def flush(self) -> None:
        """Send what was put off."""
        if self._unsent:
            unsent, self._unsent = self._unsent, bytearray()
            self._socket.sendall(unsent)

    def receive(self) -> Message | None:
        """Wait for the next message; none when the other end is gone.

        A ``stop`` overtakes what was handed before it and has not begun.
        """
        while (ready := self._readable()) or not self._inbox:
            if not ready:
                self.flush()
            data = self._socket.recv(_CHUNK_BYTES)
            if not data:
                return None
            self._inbox.extend(self._decoder.feed(data))
        for message in self._inbox:
            if message["op"] == "stop":
                return message
        return self._inbox.popleft()

    def close(self) -> None:
        """Let go of it; the other end takes that for the end of this executor."""
        self._socket.close()

    def _readable(self) -> bool:
        return bool(select.select([self._socket], [], [], 0)[0])
