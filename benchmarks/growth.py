"""How cost grows with the runs stored, the partitions of a run and the watchers of one.

    uv run --with matplotlib python benchmarks/growth.py [PICTURE.svg]

What is drawn is processor time, which other work on the machine hardly changes: of the daemon for
one read, for its start, and for one event told to one watcher; of all processes of a run for one
partition that has nothing to do. Each point is the median of its rounds.
"""

from __future__ import annotations

import asyncio
import io
import statistics
import sys
from collections.abc import Callable, Sequence
from contextlib import AsyncExitStack
from pathlib import Path

import grpc
import grpc.aio
from attrs import frozen
from daemon_restart import restart
from medians import cpu_seconds, load
from partition_overhead import await_end
from stored_runs import SIXTEEN, daemon_with_runs
from watch_fanout import channels, request_for, watch

from agi_cluster.api.v1 import runs_pb2 as pb
from agi_cluster.api.v1.runs_pb2_grpc import RunServiceStub
from agi_cluster.client.sync import Client
from agi_cluster.model.requests import StartRun
from agi_cluster.model.run import Run, RunState
from agi_cluster.testing import RunningDaemon, running_daemon
from agi_env.mode import Mode

STORED = (100, 1_000, 10_000, 30_000)
PARTITIONS = (10, 100, 1_000, 3_000)
WATCHERS = (1, 10, 30, 100)
ABOUT = """\
<title>How cost grows</title>
<desc>Processor time against runs stored, partitions and watchers: the curves are flat.</desc>
<style>@media (prefers-color-scheme: dark) { svg { filter: invert(1) hue-rotate(180deg); } }</style>
"""
"""What matplotlib does not write: what is to be seen, and how it looks on a dark page."""

PARTITION, WATCHER = "a partition of a run, µs", "an event told to one watcher, µs"
ROUNDS, CALLS = 5, 500


@frozen
class Curve:
    """One line of the picture."""

    panel: str
    name: str
    xs: Sequence[int]
    ys: Sequence[float]
    """Microseconds of processor time, or milliseconds in the panel of the start."""


def median(measure: Callable[[], float], rounds: int = ROUNDS) -> float:
    """The median of the rounds after one that is thrown away."""
    measure()
    return statistics.median(measure() for _ in range(rounds))


def a_call(pid: int, call: Callable[[], object]) -> float:
    """Microseconds that the daemon computes for one call."""
    before = cpu_seconds(pid)
    for _ in range(CALLS):
        call()
    return (cpu_seconds(pid) - before) / CALLS * 1e6


def reads(daemon: RunningDaemon, count: int) -> tuple[float, float]:
    """What `GetRun` and `ListRuns` cost the daemon."""
    name = pb.GetRunRequest(name=f"runs/stored-{count // 2:06d}")
    page = pb.ListRunsRequest(page_size=50)
    with grpc.insecure_channel(daemon.address.target) as channel:
        stub = RunServiceStub(channel)
        one = median(lambda: a_call(daemon.pid, lambda: stub.GetRun(name)))
        fifty = median(lambda: a_call(daemon.pid, lambda: stub.ListRuns(page)))
    return one, fifty


def start(daemon: RunningDaemon) -> float:
    """Milliseconds that the daemon computes from its start to its first answer."""
    return median(lambda: restart(daemon)[1] * 1e3, 3)


def of_stored_runs() -> list[Curve]:
    points: list[tuple[float, float, float]] = []
    for count in STORED:
        with daemon_with_runs(count) as daemon:
            points.append((*reads(daemon, count), start(daemon)))
        print(f"{count:6} runs: GetRun, ListRuns in us, start in ms:", *map(round, points[-1]))
    one, fifty, starts = zip(*points, strict=True)
    return [
        Curve("a read, µs", "GetRun", STORED, one),
        Curve("a read, µs", "ListRuns, 50 newest", STORED, fifty),
        Curve("the daemon's start, ms", "to its first answer", STORED, starts),
    ]


def a_partition(daemon: RunningDaemon, client: Client, count: int, base: float) -> float:
    """Microseconds of all processes of a run for each of its partitions, its start left out."""
    return (a_run(daemon, client, count) - base) / count * 1e6


def a_run(daemon: RunningDaemon, client: Client, count: int) -> float:
    before = cpu_seconds(daemon.pid, children=True)
    args = {"partitions": count}
    run_id = client.start_run(StartRun(app=str(SIXTEEN), mode=Mode.PLAIN, args=args)).id
    last = [each for each, _ in client.watch_run(run_id) if isinstance(each, Run)][-1]
    assert last.state is RunState.SUCCEEDED, last.error
    await_end(daemon)
    return cpu_seconds(daemon.pid, children=True) - before


def of_partitions() -> list[Curve]:
    costs: list[float] = []
    with running_daemon() as daemon, daemon.client() as client:
        base = median(lambda: a_run(daemon, client, 1))
        for count in PARTITIONS:
            costs.append(median(lambda count=count: a_partition(daemon, client, count, base), 3))  # type: ignore[misc]
            print(f"{count:6} partitions: {costs[-1]:.0f} us each")
    return [Curve(PARTITION, "mode 0, nothing to do", PARTITIONS, costs)]


async def of_watchers() -> list[Curve]:
    costs: list[float] = []
    with running_daemon() as daemon, daemon.client() as client:
        args = {"partitions": 200}
        run_id = client.start_run(StartRun(app=str(SIXTEEN), mode=Mode.PLAIN, args=args)).id
        list(client.watch_run(run_id))
        for count in WATCHERS:
            costs.append(statistics.median([await a_message(daemon, run_id, count) for _ in "123"]))
            print(f"{count:6} watchers: {costs[-1]:.0f} us a message")
    return [Curve(WATCHER, "all at once", WATCHERS, costs)]


async def a_message(daemon: RunningDaemon, run_id: str, count: int) -> float:
    """Microseconds that the daemon computes for one event to one of so many watchers."""
    async with AsyncExitStack() as stack:
        opened = await stack.enter_async_context(channels(daemon.address.target, count))
        before = cpu_seconds(daemon.pid)
        turns = max(1, 30 // count)
        told = 0
        for _ in range(turns):
            arrived = await asyncio.gather(*(watch(each, request_for(run_id)) for each in opened))
            told += sum(each.messages for each in arrived)
        return (cpu_seconds(daemon.pid) - before) / told * 1e6


def draw(curves: Sequence[Curve], path: Path) -> None:
    # Not among the project's dependencies: only this picture needs it.
    from matplotlib import pyplot  # noqa: PLC0415

    panels = list(dict.fromkeys(curve.panel for curve in curves))
    figure, axes = pyplot.subplots(1, len(panels), figsize=(3.4 * len(panels), 3.0))
    across = {
        "a partition of a run, µs": "partitions",
        "an event told to one watcher, µs": "watchers",
    }
    for axis, panel in zip(axes, panels, strict=True):
        for curve in (each for each in curves if each.panel == panel):
            axis.plot(curve.xs, curve.ys, marker="o", label=curve.name)
        axis.set(title=panel, xscale="log", xlabel=across.get(panel, "runs stored"))
        axis.set_ylim(0, 1.2 * max(max(line.get_ydata()) for line in axis.lines))
        axis.grid(alpha=0.3)
        axis.legend(fontsize="small")
    figure.tight_layout()
    drawn = io.StringIO()
    figure.savefig(drawn, format="svg")
    head, opened, rest = drawn.getvalue().partition("<svg ")
    attributes, closed, body = rest.partition(">")
    path.write_text(f"{head}{opened}{attributes}{closed}\n{ABOUT}{body}", encoding="utf-8")


def main() -> None:
    curves = [*of_stored_runs(), *of_partitions(), *asyncio.run(of_watchers())]
    print(load())
    if len(sys.argv) > 1:
        draw(curves, Path(sys.argv[1]))


if __name__ == "__main__":
    main()
