"""What a partition costs beyond its work, beside bare processes and beside plain Dask.

    uv run python benchmarks/partition_overhead.py [ROUNDS [CASE ...]]      default 5, all

The work is processor time of 1, 10 and 100 ms a partition. Mode 0 has one executor and stands
beside one bare process that does the same work in a loop; mode 1 has one for each core and stands
beside as many. Mode 4 stands beside both, and beside Dask alone with as many workers; the aim is
5 % over that at 100 ms. Compared is the
time from the start of the first partition to the end of the last, so that what a run costs as a
whole is left out; `local_overhead.py` has that. The processor time is what daemon, runner and
executors use for a partition beyond its work: that of a run with all partitions less that of a run
with one for each executor.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from attrs import frozen
from medians import Medians, alternating, cpu_seconds, load, ratio

from agi_cluster.client.sync import Client
from agi_cluster.model.event import Event
from agi_cluster.model.requests import StartRun
from agi_cluster.model.run import Run, RunState
from agi_cluster.model.selection import THIS_MACHINE, Selection
from agi_cluster.testing import RunningDaemon, running_daemon
from agi_env.mode import Mode

SIXTEEN = Path(__file__).parent / "apps" / "sixteen_project"
PLAIN_DASK = Path(__file__).parent / "plain_dask.py"
COUNTS = {1.0: 500, 10.0: 100, 100.0: 20}
"""Partitions for each executor, by their milliseconds."""
CORES = len(os.sched_getaffinity(0))
EVERYTHING = 3
END_S = 30.0

BARE = """
import sys, time
from pathlib import Path
from sixteen_worker.sixteen_worker import SixteenWorker
from agi_env import Partition
from agi_env.runtime.app_context import AppContext
here = Path("/tmp")
context = AppContext("sixteen_project", "sixteen", 0, 0, here, here)
worker = SixteenWorker(context, spin_ms=float(sys.argv[2]))
partition = Partition.of("bare")
print("ready", flush=True)
sys.stdin.readline()
begun = time.time()
for _ in range(int(sys.argv[1])):
    worker.work(partition, here)
print(begun, time.time())
"""

Floor = Callable[[int, float], float]
"""Takes the partitions of each executor and their milliseconds; returns the seconds it took."""


@frozen
class Case:
    """A mode, and what it stands beside."""

    name: str
    mode: Mode
    executors: int
    floor: Floor


@frozen
class Measured:
    """One run: from its first partition to its last, and the processor time of all it took."""

    seconds: float
    cpu: float


def run(daemon: RunningDaemon, client: Client, case: Case, each: int, spin_ms: float) -> Measured:
    """Execute a run and take its times from its journal."""
    args = {"partitions": each * case.executors, "spin_ms": spin_ms}
    selection = Selection(workers={THIS_MACHINE: case.executors}, cores_per_slot=1)
    before = cpu_seconds(daemon.pid, children=True)
    request = StartRun(app=str(SIXTEEN), mode=case.mode, args=args, selection=selection)
    updates = client.watch_run(client.start_run(request).id, verbose=EVERYTHING)
    seen = [update for update, _ in updates]
    last = [update for update in seen if isinstance(update, Run)][-1]
    assert last.state is RunState.SUCCEEDED, last.error
    events = [update for update in seen if isinstance(update, Event)]
    begun = min(event.time for event in events if event.kind == "partition_started")
    ended = max(event.time for event in events if event.kind == "partition_finished")
    await_end(daemon)
    cpu = cpu_seconds(daemon.pid, children=True) - before
    return Measured((ended - begun).total_seconds(), cpu)


def await_end(daemon: RunningDaemon) -> None:
    """Wait until the daemon has no processes: what they used is known only then."""
    deadline = time.monotonic() + END_S
    while len(daemon.processes()) > 1:
        assert time.monotonic() < deadline, daemon.processes()
        time.sleep(0.05)


def bare_processes(executors: int) -> Floor:
    """Processes that do the work in a loop, all begun when each is ready."""

    def seconds(each: int, spin_ms: float) -> float:
        command = [sys.executable, "-c", BARE, str(each), str(spin_ms)]
        env = {**os.environ, "PYTHONPATH": str(SIXTEEN / "src")}
        started = [
            subprocess.Popen(
                command, env=env, text=True, stdin=subprocess.PIPE, stdout=subprocess.PIPE
            )
            for _ in range(executors)
        ]
        for process in started:
            assert process.stdout is not None
            process.stdout.readline()
        for process in started:
            assert process.stdin is not None
            process.stdin.write("go\n")
            process.stdin.flush()
        spans = [process.communicate()[0].split() for process in started]
        return max(float(end) for _, end in spans) - min(float(begin) for begin, _ in spans)

    return seconds


def plain_dask(executors: int) -> Floor:
    """Dask alone, with as many workers of one thread each."""

    def seconds(each: int, spin_ms: float) -> float:
        command = [sys.executable, str(PLAIN_DASK), str(executors), str(each), str(spin_ms)]
        done = subprocess.run(command, check=True, text=True, stdout=subprocess.PIPE)
        return float(done.stdout.split()[-1])

    return seconds


def compare(daemon: RunningDaemon, client: Client, case: Case, spin_ms: float, rounds: int) -> None:
    """Print one line."""
    each = COUNTS[spin_ms]
    taken: list[float] = []

    def ours() -> float:
        small = run(daemon, client, case, 1, spin_ms)
        whole = run(daemon, client, case, each, spin_ms)
        more = (each - 1) * case.executors
        taken.append((whole.cpu - small.cpu) / more - spin_ms / 1000)
        return whole.seconds

    mine, bare = alternating(rounds, ours, lambda: case.floor(each, spin_ms))
    over = [(one - other) / each for one, other in zip(mine, bare, strict=True)]
    print(
        f"{case.name:32} {spin_ms:4g} ms: {Medians.of(mine).shown('s', 1):24} "
        f"beside {Medians.of(bare).shown('s', 1):24} ratio {ratio(mine, bare):20} "
        f"over {Medians.of(over).shown():28} CPU over {Medians.of(taken[1:]).shown()} a partition",
        flush=True,
    )


def main() -> None:
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else 5
    wanted = sys.argv[2:]
    cases = [
        Case("mode 0, 1 executor", Mode.PLAIN, 1, bare_processes(1)),
        Case(f"mode 1, {CORES} executors", Mode.POOL, CORES, bare_processes(CORES)),
        Case(f"mode 4, {CORES} slots", Mode.CLUSTER, CORES, bare_processes(CORES)),
        Case(f"mode 4, {CORES} slots; Dask", Mode.CLUSTER, CORES, plain_dask(CORES)),
    ]
    with (
        tempfile.TemporaryDirectory(prefix="agi-share-") as share,
        running_daemon(env={"AGI_CLUSTER_SHARE": share}) as daemon,
        daemon.client() as client,
    ):
        for case in cases:
            if wanted and not any(each in case.name for each in wanted):
                continue
            for spin_ms in COUNTS:
                compare(daemon, client, case, spin_ms, rounds)
        print(load())


if __name__ == "__main__":
    main()
