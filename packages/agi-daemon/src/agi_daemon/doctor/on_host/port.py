"""One end of a connection that a run would make: it listens for a moment, or it connects."""

from __future__ import annotations

import errno
import os
import select
import socket
import time

from agi_daemon.install.on_host.talk import say, serve

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any, BinaryIO


def act(_: str, request: Mapping[str, Any], stream: BinaryIO) -> dict[str, Any]:
    """Do one of the two."""
    return listen(request, stream) if request["act"] == "listen" else connect(request)


def listen(request: Mapping[str, Any], stream: BinaryIO) -> dict[str, Any]:
    """Take the first free port, greet everybody who connects, until the stream ends."""
    try:
        server, port = _bound(request["address"], request["first"], request["last"])
    except OSError as error:
        return {"port": 0, **_fault(error)}
    say("listening", port=port)
    with server:
        deadline = time.monotonic() + request["seconds"]
        while time.monotonic() < deadline:
            left = max(0.0, deadline - time.monotonic())
            ready, _, _ = select.select([server.fileno(), stream.fileno()], [], [], left)
            if stream.fileno() in ready:
                break
            if ready:
                caller, _ = server.accept()
                with caller:
                    caller.sendall(request["token"].encode())
    return {"port": port}


def connect(request: Mapping[str, Any]) -> dict[str, Any]:
    """Connect to an address and read the greeting."""
    place = (request["address"], request["port"])
    try:
        with socket.create_connection(place, timeout=request["limit_s"]) as line:
            heard = line.recv(200).decode(errors="replace")
    except OSError as error:
        return {"heard": "", **_fault(error)}
    return {"heard": heard}


def main(stream: BinaryIO) -> None:
    """Do the one thing that the stream asks."""
    serve(stream, act)


def _bound(address: str, first: int, last: int) -> tuple[socket.socket, int]:
    kind = socket.AF_INET6 if ":" in address else socket.AF_INET
    for port in range(first, last + 1):
        server = socket.socket(kind, socket.SOCK_STREAM)
        server.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            server.bind((address, port))
            server.listen(64)
        except OSError as error:
            server.close()
            if error.errno != errno.EADDRINUSE:
                raise
        else:
            return server, port
    raise OSError(errno.EADDRINUSE, os.strerror(errno.EADDRINUSE))


def _fault(error: OSError) -> dict[str, Any]:
    late = isinstance(error, (TimeoutError, socket.timeout))
    words = "no answer" if late else error.strerror or str(error)
    return {"fault": errno.errorcode.get(error.errno or 0, ""), "words": words}
