"""A program that starts as the daemon does, and can fail as it can.

usage: fake_daemon_program.py STATE serve|refuse|babble|other|sleep
"""

from __future__ import annotations

import json
import os
import signal
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import grpc

from agi_cluster.api.v1 import daemon_pb2
from agi_cluster.api.v1.daemon_pb2_grpc import (
    DaemonServiceServicer,
    add_DaemonServiceServicer_to_server,
)
from agi_cluster.client import Address
from agi_env.errors import AgiError, DaemonAlreadyRunningError, StateUnreadableError


class Answering(DaemonServiceServicer):
    def GetDaemon(self, request, context):  # noqa: N802
        return daemon_pb2.Daemon(api="agi.v1")


def serve(state: Path) -> None:
    with (state / "started").open("a") as starts:
        starts.write("x")
    socket = Address.of_state(state).socket
    socket.parent.mkdir(mode=0o700, exist_ok=True)
    socket.unlink(missing_ok=True)
    server = grpc.server(ThreadPoolExecutor())
    add_DaemonServiceServicer_to_server(Answering(), server)
    server.add_insecure_port(f"unix:{socket}")
    (state / "pid").write_text(str(os.getpid()))
    server.start()
    signal.sigwait([signal.SIGTERM])


def fail(error: AgiError) -> int:
    print("a line before", file=sys.stderr)
    print(json.dumps({"code": error.code, "metadata": error.to_metadata()}), file=sys.stderr)
    return 7


def main(state: Path, manner: str) -> int:
    if manner == "refuse":
        return fail(StateUnreadableError("the store is of version 9", where="store.sqlite3"))
    if manner == "other":
        return fail(DaemonAlreadyRunningError("another daemon holds it", where=str(state)))
    if manner == "babble":
        print("y" * 200_000 + "\nNo module named something", file=sys.stderr)
        return 1
    if manner == "sleep":
        time.sleep(60)
    serve(state)
    return 0


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]), sys.argv[2]))
