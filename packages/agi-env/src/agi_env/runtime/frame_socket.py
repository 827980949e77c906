"""The runner's end of a link to an executor: frames over a socket, in the event loop."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable

from agi_env.errors import AgiError
from agi_env.runtime.frames import FrameDecoder, Message, encode

_CHUNK_BYTES = 256 * 1024


class FrameSocket:
    """Sends without waiting, and hands on each message as it comes.

    Attributes:
        broken: Why the link cannot be used any more; empty while it can.
    """

    def __init__(
        self,
        link: socket.socket,
        on_message: Callable[[Message], None],
        on_broken: Callable[[], None],
    ) -> None:
        """Begin to listen.

        Args:
            link: A connected socket; this object owns it from now on.
            on_message: Gets each message.
            on_broken: Is called once when something else than frames comes.
        """
        self.broken = ""
        self._link = link
        self._on_message = on_message
        self._on_broken = on_broken
        self._decoder = FrameDecoder()
        self._unsent = bytearray()
        self._waits_to_write = False
        self._loop = asyncio.get_running_loop()
        link.setblocking(False)
        self._loop.add_reader(link, self._read)

    def send(self, message: Message) -> None:
        """Send a message as soon as the other end takes it; to one that has gone, never."""
        self._unsent += encode(message)
        self._write()

    def drain(self) -> None:
        """Hand on what the other end sent before it went."""
        while self._read():
            pass

    def close(self) -> None:
        """Let go of the socket."""
        self._loop.remove_reader(self._link)
        self._loop.remove_writer(self._link)
        self._link.close()

    def _write(self) -> None:
        try:
            sent = self._link.send(self._unsent)
        except BlockingIOError:
            sent = 0
        except OSError:  # the other end is gone, which its own end will say
            sent = len(self._unsent)
        del self._unsent[:sent]
        if self._unsent:
            self._loop.add_writer(self._link, self._write)
        elif self._waits_to_write:
            self._loop.remove_writer(self._link)
        self._waits_to_write = bool(self._unsent)

    def _read(self) -> bool:
        if self._link.fileno() < 0:
            return False
        try:
            data = self._link.recv(_CHUNK_BYTES)
        except BlockingIOError:
            return False
        except OSError:
            data = b""
        if not data:
            self._loop.remove_reader(self._link)
            return False
        self._take(data)
        return not self.broken

    def _take(self, data: bytes) -> None:
        try:
            for message in self._decoder.feed(data):
                self._on_message(message)
        except AgiError as error:
            self.broken = error.what
            self._loop.remove_reader(self._link)
            self._on_broken()
