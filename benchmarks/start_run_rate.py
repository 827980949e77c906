"""Durable StartRun per second from 64 callers, beside what SQLite and gRPC can do at most.

    uv run python benchmarks/start_run_rate.py [RUNS] [ROUNDS]      default 3000 in 5 rounds

One long run holds all cores, so that those started here are accepted, stored and queued, and none
is executed. Then the daemon is killed with SIGKILL and started again: none may be lost. At the end
all are cancelled. The floors, in turns with it: the same echo as ours by the same 64 callers, and
bare commits of one small row with ``synchronous=FULL`` on the same disk, one row a commit and in
groups of 64. The aim is 500 a second.
"""

from __future__ import annotations

import asyncio
import sqlite3
import sys
import time
import uuid
from collections.abc import Awaitable, Callable
from pathlib import Path

import grpc.aio
from attrs import field, frozen
from bare_server import ECHO, BareServer, bare_server
from long_run import hold_all_cores
from medians import Medians, cpu_seconds, load

from agi_cluster.api.v1 import runs_pb2 as pb
from agi_cluster.client.client import AsyncClient
from agi_cluster.model.run import RunState
from agi_cluster.testing import RunningDaemon, running_daemon

NOTHING = Path(__file__).parent / "apps" / "nothing_project"
CALLERS = 64
SETTLE_S = 120.0
START = "/agi.v1.RunService/StartRun"


@frozen
class Callers:
    """64 callers, each making one call after the other."""

    call: Callable[[], Awaitable[object]]

    async def make(self, count: int) -> float:
        """Make so many calls in all; return how many of them a second."""
        left = iter(range(count))
        begun = time.perf_counter()
        async with asyncio.TaskGroup() as group:
            for _ in range(CALLERS):
                group.create_task(self._each(left))
        return count / (time.perf_counter() - begun)

    async def _each(self, left: object) -> None:
        for _ in left:  # type: ignore[attr-defined]
            await self.call()


@frozen
class Starter:
    """Starts runs and remembers those that were accepted; other answers it leaves as they are."""

    ask: Callable[[bytes], Awaitable[bytes]]
    answers: list[bytes] = field(factory=list)

    async def start(self) -> None:
        request = pb.StartRunRequest(app=str(NOTHING), mode=0, request_id=str(uuid.uuid4()))
        self.answers.append(await self.ask(request.SerializeToString()))

    @property
    def accepted(self) -> list[str]:
        return [pb.Run.FromString(each).name.removeprefix("runs/") for each in self.answers]


def commits(path: Path, count: int, group: int) -> float:
    """Bare commits: how many rows a second become durable, ``group`` of them in a commit."""
    with sqlite3.connect(path, isolation_level=None) as db:
        db.execute("PRAGMA journal_mode = WAL")
        db.execute("PRAGMA synchronous = FULL")
        db.execute("CREATE TABLE IF NOT EXISTS rows (number INTEGER PRIMARY KEY, body TEXT)")
        begun = time.perf_counter()
        for _ in range(0, count, group):
            db.execute("BEGIN IMMEDIATE")
            db.executemany("INSERT INTO rows (body) VALUES (?)", [("x" * 2000,)] * group)
            db.execute("COMMIT")
        seconds = time.perf_counter() - begun
    db.close()
    return count / seconds


async def measure(daemon: RunningDaemon, bare: BareServer, count: int, rounds: int) -> list[str]:
    """Print the rates; return the names of all runs that were accepted."""
    rates: dict[str, list[float]] = {}
    each = max(CALLERS, count // rounds)
    async with (
        grpc.aio.insecure_channel(daemon.address.target) as ours,
        grpc.aio.insecure_channel(bare.target) as theirs,
    ):
        start: grpc.aio.UnaryUnaryMultiCallable[bytes, bytes] = ours.unary_unary(START)
        echo: grpc.aio.UnaryUnaryMultiCallable[bytes, bytes] = theirs.unary_unary(ECHO)
        starter = Starter(start)
        before = cpu_seconds(daemon.pid)
        for _ in range(rounds):
            for name, rate in (
                ("StartRun, 64 callers", Callers(starter.start).make(each)),
                ("echo, 64 callers", Callers(lambda: echo(b"600")).make(each)),
                ("commits in groups of 64", asyncio.to_thread(commits, _beside(daemon), each, 64)),
                ("commits of one row", asyncio.to_thread(commits, _beside(daemon), each, 1)),
            ):
                rates.setdefault(name, []).append(await rate)
        cpu = (cpu_seconds(daemon.pid) - before) / len(starter.answers)
    mine = rates["StartRun, 64 callers"]
    for name, values in rates.items():
        compared = Medians.of([each / other for each, other in zip(mine, values, strict=True)])
        print(f"{name:24} {Medians.of(values).shown('/s', 1):28} ours to it {compared.median:.2f}")
    print(f"{cpu * 1000:.2f} ms of the daemon's CPU for each; {load()}", flush=True)
    return starter.accepted


def _beside(daemon: RunningDaemon) -> Path:
    return daemon.root / "commits.sqlite3"


async def stored(client: AsyncClient, states: tuple[RunState, ...]) -> set[str]:
    """The runs in these states, all pages of them."""
    names: set[str] = set()
    token = ""
    while True:
        page = await client.list_runs(page_size=1000, page_token=token, states=states)
        names |= {run.id for run in page.items}
        token = page.next_page_token
        if not token:
            return names


async def check_none_lost(daemon: RunningDaemon, accepted: list[str]) -> None:
    async with daemon.async_client() as client:
        queued = await stored(client, (RunState.QUEUED,))
    lost = set(accepted) - queued
    print(f"{len(accepted)} accepted, SIGKILL, restart: {len(lost)} lost")
    assert not lost, lost
    assert len(set(accepted)) == len(accepted)


async def cancel_all(daemon: RunningDaemon, accepted: list[str]) -> None:
    left = iter(accepted)
    async with daemon.async_client() as client:
        cancelling = Callers(lambda: client.cancel_run(next(left), grace_seconds=0))
        rate = await cancelling.make(len(accepted))
        begun = time.perf_counter()
        while await stored(client, (RunState.QUEUED,)):
            assert time.perf_counter() - begun < SETTLE_S
            await asyncio.sleep(0.05)
        waited = time.perf_counter() - begun
        assert await stored(client, (RunState.CANCELLED,)) >= set(accepted)
    print(f"all cancelled at {rate:.0f} /s; settled {waited:.2f} s after the last call")


def main() -> None:
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 3000
    rounds = int(sys.argv[2]) if len(sys.argv) > 2 else 5
    with running_daemon() as daemon, bare_server() as bare, hold_all_cores(daemon):
        accepted = asyncio.run(measure(daemon, bare, count, rounds))
        daemon.kill()
        begun = time.perf_counter()
        daemon.start()
        print(f"serving again {time.perf_counter() - begun:.2f} s after")
        asyncio.run(check_none_lost(daemon, accepted))
        asyncio.run(cancel_all(daemon, accepted))


if __name__ == "__main__":
    main()
