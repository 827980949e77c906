"""A grpc.aio server that does nothing, in a process of its own: the floor of every call.

``/bare/Echo`` answers with as many bytes as the request names, ``/bare/Stream`` with as many
messages of so many bytes as it names. There are no interceptors, and requests and answers stay the
bytes that they are.
"""

from __future__ import annotations

import asyncio
import subprocess
import sys
import tempfile
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from pathlib import Path

import grpc
import grpc.aio
from attrs import frozen

ECHO, STREAM = "/bare/Echo", "/bare/Stream"


@frozen
class BareServer:
    """A server that runs."""

    pid: int
    target: str


async def echo(request: bytes, _: object) -> bytes:
    return bytes(int(request))


async def stream(request: bytes, _: object) -> AsyncIterator[bytes]:
    count, size = map(int, request.split())
    message = bytes(size)
    for _ in range(count):
        yield message


async def serve(path: str) -> None:
    server = grpc.aio.server()
    methods: dict[str, grpc.RpcMethodHandler[bytes, bytes]] = {
        "Echo": grpc.unary_unary_rpc_method_handler(echo),
        "Stream": grpc.unary_stream_rpc_method_handler(stream),
    }
    server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler("bare", methods),))
    server.add_insecure_port(f"unix:{path}")
    await server.start()
    print("ready", flush=True)
    await server.wait_for_termination()


@contextmanager
def bare_server() -> Iterator[BareServer]:
    """Run one on a unix socket of its own."""
    with tempfile.TemporaryDirectory(prefix="bare-") as folder:
        socket = str(Path(folder) / "bare.sock")
        command = [sys.executable, __file__, socket]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
            assert process.stdout is not None
            try:
                process.stdout.readline()
                yield BareServer(process.pid, f"unix:{socket}")
            finally:
                process.kill()


if __name__ == "__main__":
    asyncio.run(serve(sys.argv[1]))
