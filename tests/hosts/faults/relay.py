"""A TCP relay before a host's SSH server that delays what passes, or cuts a connection in time.

Run in the host's network as ``python relay.py OPTIONS``, the options a JSON object. It says
``relaying`` once it listens. The first connection that meets the condition is cut; all later ones
are whole.
"""

from __future__ import annotations

import asyncio
import json
import socket
import struct
import sys
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

CHUNK = 65536
POLL_S = 0.01


@dataclass
class Options:
    """What the relay does.

    Attributes:
        listen: The port at which it listens.
        target: The port on the loopback that it connects to.
        delay_s: Seconds that everything takes in each direction.
        cut_after: Bytes from the server after which the connection is cut; none: it is not.
        cut_when: A pattern of paths: once one is there, nothing of the server's passes any more.
    """

    listen: int
    target: int
    delay_s: float = 0.0
    cut_after: int | None = None
    cut_when: str = ""

    def met(self) -> bool:
        """Whether a file is there that connections are cut for."""
        return bool(self.cut_when) and any(Path("/").glob(self.cut_when[1:]))


class EndError(Exception):
    """The connection ends now."""


class Connection:
    """One caller, and the server behind."""

    def __init__(self, options: Options) -> None:
        self.options = options
        self.passed = 0
        self.is_cut = False

    async def serve(self, caller: asyncio.StreamReader, back: asyncio.StreamWriter) -> None:
        """Relay until one side ends, or the connection is cut."""
        server, forth = await asyncio.open_connection("127.0.0.1", self.options.target)
        try:
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(self.pump(caller, forth, lambda piece: piece))
                tasks.create_task(self.pump(server, back, self.allowed))
                if self.options.cut_when:
                    tasks.create_task(self.watch())
        except* (EndError, OSError):
            pass
        finally:
            for end in (back, forth):
                reset(end)

    async def pump(
        self,
        source: asyncio.StreamReader,
        sink: asyncio.StreamWriter,
        allowed: Callable[[bytes], bytes],
    ) -> None:
        """Pass on what comes, each piece as late as asked."""
        pieces: asyncio.Queue[tuple[float, bytes]] = asyncio.Queue(256)
        clock = asyncio.get_running_loop().time
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self.deliver(pieces, sink, allowed))
            while piece := await source.read(CHUNK):
                await pieces.put((clock() + self.options.delay_s, piece))
            await pieces.put((clock() + self.options.delay_s, b""))

    async def deliver(
        self,
        pieces: asyncio.Queue[tuple[float, bytes]],
        sink: asyncio.StreamWriter,
        allowed: Callable[[bytes], bytes],
    ) -> None:
        """Write pieces when they are due, up to the empty one at the end."""
        clock = asyncio.get_running_loop().time
        while True:
            due, piece = await pieces.get()
            await asyncio.sleep(due - clock())
            if not piece:
                raise EndError
            whole = allowed(piece)
            sink.write(whole)
            await sink.drain()
            if len(whole) < len(piece):
                self.cut()

    def allowed(self, piece: bytes) -> bytes:
        """What of the server's passes."""
        # A cut takes the loop a moment; what comes meanwhile does not pass either.
        if self.is_cut or self.options.met():
            return b""
        limit = self.options.cut_after
        if limit is not None:
            piece = piece[: limit - self.passed]
        self.passed += len(piece)
        return piece

    async def watch(self) -> None:
        """Cut as soon as the awaited file is there, whether or not anything passes."""
        while not self.options.met():
            await asyncio.sleep(POLL_S)
        self.cut()

    def cut(self) -> None:
        """End this connection; all later ones are whole."""
        self.is_cut = True
        self.options.cut_after, self.options.cut_when = None, ""
        raise EndError


def reset(end: asyncio.StreamWriter) -> None:
    """Close without a farewell: the other side reads a reset."""
    raw = end.get_extra_info("socket")
    with suppress(OSError):
        raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    end.transport.abort()


async def main(options: Options) -> None:
    """Relay until killed."""

    async def serve(caller: asyncio.StreamReader, back: asyncio.StreamWriter) -> None:
        await Connection(options).serve(caller, back)

    server = await asyncio.start_server(serve, None, options.listen)
    print("relaying", flush=True)
    async with server:
        await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(main(Options(**json.loads(sys.argv[1]))))
