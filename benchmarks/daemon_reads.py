"""A read of the daemon beside a bare grpc.aio echo that answers with as many bytes.

    uv run python benchmarks/daemon_reads.py [ROUNDS]      default 20

10,000 settled runs are stored. One caller makes one call after the other, in turns of 200 to the
daemon and 200 to the echo, which is a process of its own on the same kind of socket. The caller
leaves all answers as bytes, so that what differs is the server. Beside the wall time stands the
processor time of the servers, which other work on the machine does not change. The aim is 1.5.
"""

from __future__ import annotations

import random
import sys
import time
from collections.abc import Callable, Sequence
from functools import partial

import grpc
from attrs import frozen
from bare_server import ECHO, bare_server
from medians import Medians, cpu_seconds, load, ratio
from stored_runs import daemon_with_runs

from agi_cluster.api.v1 import runs_pb2 as pb
from agi_cluster.api.v1.runs_pb2_grpc import RunServiceStub

RUNS = 10_000
CALLS = 200

SAME = pb.GetRunRequest(name="runs/stored-000000").SerializeToString()

Ask = Callable[[bytes], bytes]
Request = Callable[[], bytes]


@frozen
class Side:
    """A server, and what is asked of it."""

    pid: int
    ask: Ask
    request: Request


@frozen
class Turn:
    """What one turn of calls took, in seconds."""

    times: list[float]
    cpu: float

    @classmethod
    def of(cls, side: Side) -> Turn:
        before, times = cpu_seconds(side.pid), []
        for _ in range(CALLS):
            request = side.request()
            begun = time.perf_counter()
            side.ask(request)
            times.append(time.perf_counter() - begun)
        return cls(times, (cpu_seconds(side.pid) - before) / CALLS)


def get_run() -> bytes:
    name = f"runs/stored-{random.randrange(RUNS):06d}"
    return pb.GetRunRequest(name=name).SerializeToString()


def list_runs(size: int, tokens: Sequence[str] = ("",)) -> Request:
    def request() -> bytes:
        asked = pb.ListRunsRequest(page_size=size, page_token=random.choice(tokens))
        return asked.SerializeToString()

    return request


def all_tokens(channel: grpc.Channel, size: int) -> list[str]:
    """The tokens of all pages but the first."""
    ask, tokens = RunServiceStub(channel).ListRuns, [""]
    while token := ask(pb.ListRunsRequest(page_size=size, page_token=tokens[-1])).next_page_token:
        tokens.append(token)
    return tokens[1:]


def reads(channel: grpc.Channel) -> list[tuple[str, str, Request]]:
    """What is measured: a title, the method, and what makes its requests."""
    return [
        ("GetRun, any of all", "GetRun", get_run),
        ("GetRun, always the same", "GetRun", lambda: SAME),
        ("ListRuns, the newest", "ListRuns", list_runs(1)),
        ("ListRuns, the 50 newest", "ListRuns", list_runs(50)),
        ("ListRuns, any 50 of all", "ListRuns", list_runs(50, all_tokens(channel, 50))),
    ]


def compare(name: str, ours: Side, echo: Side, rounds: int) -> None:
    Turn.of(ours), Turn.of(echo)
    turns = [(Turn.of(ours), Turn.of(echo)) for _ in range(rounds)]
    mine = [turn[0] for turn in turns]
    theirs = [turn[1] for turn in turns]
    print(f"{name}, answers of {len(ours.ask(ours.request()))} bytes")
    for what, values in (("daemon", mine), ("echo", theirs)):
        times = Medians.of([each for turn in values for each in turn.times])
        cpu = sum(turn.cpu for turn in values) / rounds
        print(
            f"  {what:7} p50 {times.shown()}, p99 {times.p99 * 1000:.3g} ms, "
            f"CPU {cpu * 1000:.3f} ms a call"
        )
    halves = [[Medians.of(turn.times) for turn in values] for values in (mine, theirs)]
    middle = ratio(*[[each.median for each in half] for half in halves])
    tail = ratio(*[[each.p99 for each in half] for half in halves])
    cpu_ratio = sum(turn.cpu for turn in mine) / sum(turn.cpu for turn in theirs)
    print(f"  ratio   p50 {middle}, p99 {tail}, CPU {cpu_ratio:.2f}; {load()}", flush=True)


def main() -> None:
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else 20
    with (
        daemon_with_runs(RUNS) as daemon,
        bare_server() as bare,
        grpc.insecure_channel(daemon.address.target) as channel,
        grpc.insecure_channel(bare.target) as floor,
    ):
        echo: grpc.UnaryUnaryMultiCallable[bytes, bytes] = floor.unary_unary(ECHO)
        for name, method, request in reads(channel):
            path = f"/agi.v1.RunService/{method}"
            ask: grpc.UnaryUnaryMultiCallable[bytes, bytes] = channel.unary_unary(path)
            size = str(len(ask(request()))).encode()
            ours = Side(daemon.pid, ask, request)
            compare(name, ours, Side(bare.pid, echo, partial(bytes, size)), rounds)


if __name__ == "__main__":
    main()
