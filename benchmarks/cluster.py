"""What modes 4 and 5 cost on one machine, and how fast a killed worker's work runs elsewhere.

    uv run python benchmarks/cluster.py [ROUNDS]

Times are wall seconds, medians of the rounds with the middle half. The aims are 2 s for a run of
mode 4 with nothing to do, cold, and 0.5 s from the SIGKILL of a worker to its partition running
elsewhere. Beside the first stands a run of mode 0 of the same app, and beside the spans of many
small partitions those of mode 1, in turns.
"""

from __future__ import annotations

import os
import signal
import sys
import tempfile
import time
from collections.abc import Sequence
from functools import partial
from pathlib import Path

from medians import Medians, alternating, load

from agi_cluster.client.sync import Client
from agi_cluster.model.event import Event
from agi_cluster.model.requests import StartRun
from agi_cluster.model.run import Run, RunState
from agi_cluster.model.selection import Selection
from agi_cluster.testing import RunningDaemon, running_daemon
from agi_env.mode import Mode
from agi_env.runtime import process_tree

APPS = Path(__file__).parent / "apps"
TWO = Selection(workers={"127.0.0.1": 2}, cores_per_slot=1)


def whole_run(client: Client, mode: Mode, seconds: Sequence[float]) -> float:
    """How long a run takes from its order to its settlement."""
    begun = time.perf_counter()
    settle(client, order(client, mode, seconds))
    return time.perf_counter() - begun


def span(client: Client, mode: Mode, seconds: Sequence[float]) -> float:
    """How long a run takes from its first partition's start to its last one's end."""
    updates = [each for each, _ in client.watch_run(order(client, mode, seconds), verbose=3)]
    events = [each for each in updates if isinstance(each, Event)]
    started = [each.time for each in events if each.kind == "partition_started"]
    finished = [each.time for each in events if each.kind == "partition_finished"]
    assert len(finished) == len(seconds)
    return (max(finished) - min(started)).total_seconds()


def order(client: Client, mode: Mode, seconds: Sequence[float]) -> str:
    """Start a run of partitions that sleep."""
    selection = TWO if Mode.CLUSTER in mode else Selection()
    app, args = str(APPS / "sleeping_project"), {"seconds": list(seconds)}
    return client.start_run(StartRun(app=app, mode=mode, selection=selection, args=args)).id


def settle(client: Client, run_id: str) -> None:
    """Wait for a run that succeeds."""
    last = [update for update, _ in client.watch_run(run_id) if isinstance(update, Run)][-1]
    assert last.state is RunState.SUCCEEDED, last.error


def takeover(daemon: RunningDaemon, client: Client) -> float:
    """From the SIGKILL of a worker until its partition runs in the other slot."""
    run_id = order(client, Mode.CLUSTER, [3.0, 0.1])
    killed_at, finished, started = 0.0, False, -1
    for update, _ in client.watch_run(run_id, verbose=3):
        if not isinstance(update, Event):
            continue
        fact = (update.kind, update.data.get("id"))
        finished = finished or fact == ("partition_finished", "p1")
        if fact == ("partition_started", "p0"):
            if killed_at:
                settle(client, run_id)
                return update.time.timestamp() - killed_at
            started = update.data["slot"]
        if finished and started >= 0 and not killed_at:
            worker = worker_of(daemon, run_id, started)
            killed_at = time.time()
            os.kill(worker, signal.SIGKILL)
    raise AssertionError("the partition was not run again")


def worker_of(daemon: RunningDaemon, run_id: str, slot: int) -> int:
    """The worker of a slot: the child of its supervisor, which is the child of nobody of ours."""
    place = f"runs/{run_id} --slot {slot}"
    pids = {pid for pid, line in daemon.processes().items() if place in line}
    parents = {pid: process.parent for pid in pids if (process := process_tree.find(pid))}
    (worker,) = [pid for pid in pids if parents[pid] in pids and pid not in parents.values()]
    return worker


def main() -> None:
    """Measure and print."""
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else 10
    share = tempfile.mkdtemp(prefix="agi-share-")
    with running_daemon(env={"AGI_CLUSTER_SHARE": share}) as daemon, daemon.client() as client:
        print(load())
        cluster, plain = alternating(
            rounds,
            lambda: whole_run(client, Mode.CLUSTER, [0.0]),
            lambda: whole_run(client, Mode.PLAIN, [0.0]),
        )
        print("mode 4, nothing to do:", Medians.of(cluster).shown("s", 1))
        print("mode 0, nothing to do:", Medians.of(plain).shown("s", 1))
        elsewhere = [takeover(daemon, client) for _ in range(rounds)]
        print("killed worker, running elsewhere after:", Medians.of(elsewhere).shown("s", 1))
        for milliseconds in (1, 10, 100):
            seconds = [milliseconds / 1000] * (2000 // (milliseconds + 9))
            cluster, pool = alternating(
                3,
                partial(span, client, Mode.CLUSTER, seconds),
                partial(span, client, Mode.POOL, seconds),
            )
            each = sum(seconds) / 2
            print(f"{len(seconds)} partitions of {milliseconds} ms, {each:.2f} s in each slot:")
            print("  mode 4:", Medians.of(cluster).shown("s", 1))
            print("  mode 1:", Medians.of(pool).shown("s", 1))
        print(load())


if __name__ == "__main__":
    main()
