"""A proxy between a client and the daemon's socket that loses, holds and cuts what it is told to.

It passes bytes on, and looks at them only to know where the frames of HTTP/2 begin (RFC 9113, 4.1):
so it can lose a request or its answer, and not the greeting of the connection.
"""

from __future__ import annotations

import socket
import struct
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from enum import Enum, auto
from pathlib import Path

_PREFACE = len(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n")
_HEADER = struct.Struct("!I B I")
_HEADERS, _DATA = 1, 0


class Fault(Enum):
    """What happens to one call; those after it pass."""

    NONE = auto()
    REQUEST_LOST = auto()
    """The connection is cut before anything of the call reaches the daemon."""
    ANSWER_LOST = auto()
    """The daemon does what it is asked; the connection is cut before its answer passes."""
    ANSWER_CUT = auto()
    """The headers of the answer pass, and then the connection is cut."""
    HELD = auto()
    """The request is held until `Proxy.release` is called, long after its deadline."""


class Proxy:
    """Listens at ``path`` and leads to ``target``."""

    def __init__(self, path: Path, target: Path) -> None:
        self.path = path
        self._target = target
        self._fault = Fault.NONE
        self._lock = threading.Lock()
        self._released = threading.Event()
        self._sockets: list[socket.socket] = []
        self.struck = 0
        """How many calls met a fault."""
        self._listener = socket.socket(socket.AF_UNIX)
        self._listener.bind(str(path))
        self._listener.listen()
        threading.Thread(target=self._accept, daemon=True).start()

    def arm(self, fault: Fault) -> None:
        """Have the next call meet a fault."""
        with self._lock:
            self._released.clear()
            self._fault, self.struck = fault, 0

    def release(self) -> None:
        """Let what is held pass."""
        self._released.set()

    def cut(self) -> None:
        """Cut all connections, whatever goes over them."""
        sockets, self._sockets = self._sockets, []
        for each in sockets:
            _shut(each)

    def close(self) -> None:
        """End all connections."""
        self._released.set()
        _shut(self._listener)
        self.cut()

    def take(self, *faults: Fault) -> bool:
        """Whether the fault that is due is one of these; then it is due no more."""
        with self._lock:
            if self._fault not in faults:
                return False
            self._fault, self.struck = Fault.NONE, self.struck + 1
            return True

    def due(self, fault: Fault) -> bool:
        """Whether this fault is due."""
        return self._fault is fault

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                daemon = socket.socket(socket.AF_UNIX)
                try:
                    daemon.connect(str(self._target))
                except OSError:
                    _shut(client)
                    _shut(daemon)
                    continue
                self._sockets += [client, daemon]
                up = _Pipe(client, daemon, self._up, preface=_PREFACE)
                down = _Pipe(daemon, client, self._down, preface=0)
                for pipe in (up, down):
                    threading.Thread(target=pipe.pump, daemon=True).start()

    def _up(self, kind: int) -> bool:
        """Whether a frame of the client passes."""
        if kind != _HEADERS:
            return True
        if self.take(Fault.REQUEST_LOST):
            return False
        if self.take(Fault.HELD):
            self._released.wait(60)
        return True

    def _down(self, kind: int) -> bool:
        """Whether a frame of the daemon passes."""
        if kind == _HEADERS and self.take(Fault.ANSWER_LOST):
            return False
        return not (kind == _DATA and self.take(Fault.ANSWER_CUT))


class _Pipe:
    """One direction of a connection, frame by frame; a frame that may not pass cuts it."""

    def __init__(
        self,
        source: socket.socket,
        sink: socket.socket,
        passes: Callable[[int], bool],
        *,
        preface: int,
    ) -> None:
        self._source, self._sink, self._passes = source, sink, passes
        self._stream = source.makefile("rb")
        self._preface = preface

    def pump(self) -> None:
        with suppress(OSError, ValueError):
            self._sink.sendall(self._stream.read(self._preface))
            for kind, frame in self._frames():
                if not self._passes(kind):
                    break
                self._sink.sendall(frame)
        with suppress(OSError):
            self._stream.close()
        _shut(self._source)
        _shut(self._sink)

    def _frames(self) -> Iterator[tuple[int, bytes]]:
        while len(header := self._stream.read(_HEADER.size)) == _HEADER.size:
            first, _, _ = _HEADER.unpack(header)
            length, kind = first >> 8, first & 0xFF
            yield kind, header + self._stream.read(length)


def _shut(each: socket.socket) -> None:
    with suppress(OSError):
        each.shutdown(socket.SHUT_RDWR)
    with suppress(OSError):
        each.close()


@contextmanager
def proxied(path: Path, target: Path) -> Iterator[Proxy]:
    """A proxy for the length of a block."""
    proxy = Proxy(path, target)
    try:
        yield proxy
    finally:
        proxy.close()
