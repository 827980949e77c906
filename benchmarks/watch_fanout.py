"""The events of one run, told to 100 watchers: how late they come, and how many a second.

    uv run python benchmarks/watch_fanout.py [WATCHERS]      default 100

Each watcher has a connection of its own. The delay of an event is the time from its record in the
run's journal to its arrival at a watcher, all in one machine's clock. First a run of small
partitions gives about 40 events a second; then a finished run is watched from its first event by
all at once, which shows how many messages a second can be sent, beside a bare grpc.aio server
that streams as many messages of the same size to as many connections, in turns.
"""

from __future__ import annotations

import asyncio
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

import grpc.aio
from attrs import frozen
from bare_server import STREAM, bare_server
from medians import Medians, cpu_seconds, load

from agi_cluster.api.v1 import runs_pb2 as pb
from agi_cluster.client.channel import OPTIONS
from agi_cluster.client.client import AsyncClient
from agi_cluster.model.requests import StartRun
from agi_cluster.testing import running_daemon
from agi_env.mode import Mode

SIXTEEN = Path(__file__).parent / "apps" / "sixteen_project"
PARTITIONS, PACE_MS = 200, 50
ROUNDS = 5
WATCH = "/agi.v1.RunService/WatchRun"
EVERYTHING = 3


@frozen
class Arrivals:
    """What one watcher received."""

    messages: int
    sizes: int
    delays: list[float]


async def watch(channel: grpc.aio.Channel, request: bytes) -> Arrivals:
    """Watch to the end."""
    messages, sizes, delays = 0, 0, list[float]()
    watching: grpc.aio.UnaryStreamMultiCallable[bytes, bytes] = channel.unary_stream(WATCH)
    async for data in watching(request):
        now = time.time()
        messages, sizes = messages + 1, sizes + len(data)
        response = pb.WatchRunResponse.FromString(data)
        if response.HasField("event"):
            moment = response.event.time
            delays.append(now - moment.seconds - moment.nanos / 1e9)
    return Arrivals(messages, sizes, delays)


async def drain(channel: grpc.aio.Channel, request: bytes) -> int:
    """Receive a stream and count its messages."""
    streaming: grpc.aio.UnaryStreamMultiCallable[bytes, bytes] = channel.unary_stream(STREAM)
    return len([None async for _ in streaming(request)])


@asynccontextmanager
async def channels(target: str, count: int) -> AsyncIterator[list[grpc.aio.Channel]]:
    """Connections of their own: by default those of one process are shared."""
    async with AsyncExitStack() as stack:
        opened = [grpc.aio.insecure_channel(target, options=OPTIONS) for _ in range(count)]
        yield [await stack.enter_async_context(each) for each in opened]


def request_for(run_id: str) -> bytes:
    request = pb.WatchRunRequest(name=f"runs/{run_id}", verbose=EVERYTHING)
    return request.SerializeToString()


async def start(client: AsyncClient, sleep_ms: float) -> str:
    args = {"partitions": PARTITIONS, "sleep_ms": sleep_ms}
    run = await client.start_run(StartRun(app=str(SIXTEEN), mode=Mode.PLAIN, args=args))
    return run.id


async def live(client: AsyncClient, watchers: list[grpc.aio.Channel], pid: int) -> str:
    """Watch a run from its start to its end; return its id."""
    before, begun = cpu_seconds(pid), time.perf_counter()
    run_id = await start(client, PACE_MS)
    request = request_for(run_id)
    arrived = await asyncio.gather(*(watch(channel, request) for channel in watchers))
    seconds, cpu = time.perf_counter() - begun, cpu_seconds(pid) - before
    delays = Medians.of([delay for each in arrived for delay in each.delays])
    total = sum(each.messages for each in arrived)
    assert len({each.messages for each in arrived}) == 1
    print(
        f"live: {arrived[0].messages} messages to each of {len(watchers)} in {seconds:.1f} s; "
        f"delay {delays.shown()}, p99 {delays.p99 * 1000:.3g} ms; "
        f"CPU {cpu / total * 1e6:.0f} us a message, {cpu / seconds:.0%} of a core; {load()}"
    )
    return run_id


async def timed(calls: Iterable[Awaitable[object]]) -> float:
    begun = time.perf_counter()
    await asyncio.gather(*calls)
    return time.perf_counter() - begun


async def burst(
    ours: list[grpc.aio.Channel], bare: list[grpc.aio.Channel], run_id: str, pids: tuple[int, int]
) -> None:
    """Tell all events of a finished run to all watchers, in turns with the bare streams."""
    request = request_for(run_id)
    one = await watch(ours[0], request)
    stream = f"{one.messages} {one.sizes // one.messages}".encode()
    sides: list[tuple[str, int, Callable[[], Iterable[Awaitable[object]]]]] = [
        ("daemon", pids[0], lambda: [watch(channel, request) for channel in ours]),
        ("bare", pids[1], lambda: [drain(channel, stream) for channel in bare]),
    ]
    total = one.messages * len(ours)
    rates: dict[str, list[float]] = {"daemon": [], "bare": []}
    cpu = dict.fromkeys(rates, 0.0)
    for _ in range(ROUNDS):
        for name, pid, calls in sides:
            before = cpu_seconds(pid)
            rates[name].append(total / await timed(calls()))
            cpu[name] += (cpu_seconds(pid) - before) / total / ROUNDS
    for name, values in rates.items():
        shown = Medians.of(values).shown("messages/s", 1)
        print(f"burst, {name:6} {shown}, CPU {cpu[name] * 1e6:.0f} us a message")
    each = zip(rates["daemon"], rates["bare"], strict=True)
    compared = Medians.of([mine / other for mine, other in each])
    print(
        f"burst, rate to the bare one {compared.median:.2f} "
        f"({compared.low:.2f} to {compared.high:.2f}), "
        f"CPU {cpu['daemon'] / cpu['bare']:.2f}; messages of {one.sizes // one.messages} bytes"
    )


async def main(watchers: int) -> None:
    with running_daemon() as daemon, bare_server() as bare:
        async with (
            daemon.async_client() as client,
            channels(daemon.address.target, watchers) as ours,
            channels(bare.target, watchers) as theirs,
        ):
            await watch(ours[0], request_for(await start(client, 0)))
            run_id = await live(client, ours, daemon.pid)
            await burst(ours, theirs, run_id, (daemon.pid, bare.pid))


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1]) if len(sys.argv) > 1 else 100))
