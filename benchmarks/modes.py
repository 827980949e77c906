"""What the modes come to: the example's kernel interpreted, compiled and in C; runs; two cores.

    uv run python benchmarks/modes.py [ROUNDS [PART...]]      default 5, kernel runs cores

Three things are measured, each in turns with what it stands beside:

* the numeric kernel of the flights example, in the build of mode 0, in that of mode 2, and the same
  loop in C, compiled by the same compiler with the same flags. It is processor time of the loop
  alone, on made-up departures; the results have to be equal, bit for bit.
* runs of the example as a whole in the local modes, by `agi run APP --benchmark`.
* modes 1 and 4 with one executor on each core, beside as many bare processes doing the same work.
  The figure is the share of the bare processes' speed that is reached.
"""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from medians import Medians, load
from partition_overhead import CORES, Case, bare_processes, run

from agi_cluster.client.sync import Client
from agi_cluster.model.benchmark import Benchmark
from agi_cluster.model.requests import CreateBenchmark, StartRun
from agi_cluster.model.run import Run, RunState
from agi_cluster.model.selection import THIS_MACHINE, Selection
from agi_cluster.testing import RunningDaemon, running_daemon
from agi_daemon.install.native import FLAGS
from agi_env.mode import Mode

FLIGHTS = Path(__file__).parents[1] / "examples" / "flights_project"
COUNT, REACH = 20_000, 60
EACH = {100.0: 30, 1000.0: 8}
"""Partitions for each executor, by their milliseconds."""

KERNEL_C = """
#include <stddef.h>
typedef long long num;
static num floor_div(num a, num b) {
    return a / b - ((a % b != 0) && ((a < 0) != (b < 0)));
}
void fill_expected(const num *minutes, const num *delays, size_t count, num reach, num *expected) {
    num highest = reach * reach;
    size_t first = 0, end = 0;
    for (size_t flight = 0; flight < count; flight++) {
        num minute = minutes[flight];
        while (minutes[first] <= minute - reach) first++;
        while (end < count && minutes[end] < minute + reach) end++;
        num weights = -highest, weighted = -highest * delays[flight];
        for (size_t other = first; other < end; other++) {
            num apart = minutes[other] - minute, weight = highest - apart * apart;
            weights += weight;
            weighted += weight * delays[other];
        }
        if (weights == 0) { weights = 1; weighted = delays[flight]; }
        expected[flight] = floor_div(120 * weighted + weights, 2 * weights);
    }
}
"""

TIMED = """
import ctypes, hashlib, json, random, sys, time
from array import array
count, reach, library = int(sys.argv[1]), int(sys.argv[2]), sys.argv[3]
luck = random.Random(7)
minutes = array("q", sorted(luck.randrange(count * 2) for _ in range(count)))
delays = array("q", [luck.randrange(-20, 300) for _ in range(count)])
expected = array("q", bytes(8 * count))
if library:
    pointer = ctypes.POINTER(ctypes.c_longlong)
    at = lambda a: ctypes.cast((ctypes.c_longlong * len(a)).from_buffer(a), pointer)
    call = ctypes.CDLL(library).fill_expected
    call.argtypes = [pointer, pointer, ctypes.c_size_t, ctypes.c_longlong, pointer]
    call.restype = None
    def kernel(): call(at(minutes), at(delays), count, reach, at(expected))
else:
    from flights_worker.expected_delay import fill_expected
    def kernel(): fill_expected(minutes, delays, reach, expected)
times = []
while not times or (sum(times) < 0.5 and len(times) < 50):
    begun = time.process_time()
    kernel()
    times.append(time.process_time() - begun)
print(json.dumps([min(times), hashlib.sha256(expected).hexdigest()]))
"""


def builds(daemon: RunningDaemon, client: Client) -> dict[Mode, str]:
    """The interpreters of the example's builds, made by a run in each mode."""
    found = {}
    for mode in (Mode.PLAIN, Mode.CYTHON):
        started = client.start_run(StartRun(app=str(FLIGHTS), mode=mode, args={"months": [1]}))
        *_, (last, _) = client.watch_run(started.id)
        assert isinstance(last, Run) and last.state is RunState.SUCCEEDED, last
        spec = daemon.state / "host/runs" / started.id / "spec.json"
        found[mode] = f"{json.loads(spec.read_text())['build']}/bin/python"
    return found


def timed(python: str, library: str = "") -> tuple[float, str]:
    """The processor time of the kernel, the best of its calls, and the digest of its result."""
    argv = [python, "-I", "-c", TIMED, str(COUNT), str(REACH), library]
    done = subprocess.run(argv, capture_output=True, text=True, check=True, timeout=600)
    seconds, digest = json.loads(done.stdout)
    return seconds, digest


def c_library(folder: str) -> str:
    """The kernel in C, compiled as workers are."""
    source, library = Path(folder) / "kernel.c", Path(folder) / "kernel.so"
    source.write_text(KERNEL_C)
    argv = ["gcc", *FLAGS, "-shared", "-fPIC", "-o", str(library), str(source)]
    subprocess.run(argv, check=True)
    return str(library)


def compare_kernels(pythons: dict[Mode, str], rounds: int) -> None:
    """Print the kernel in three forms."""
    sides: list[list[float]] = [[], [], []]
    with tempfile.TemporaryDirectory() as folder:
        library = c_library(folder)
        for _ in range(rounds):
            measured = [
                timed(pythons[Mode.PLAIN]),
                timed(pythons[Mode.CYTHON]),
                timed(pythons[Mode.PLAIN], library),
            ]
            assert len({digest for _, digest in measured}) == 1, "the results differ"
            for side, (seconds, _) in zip(sides, measured, strict=True):
                side.append(seconds)
    plain, cython, c = sides
    for name, side in (("mode 0", plain), ("mode 2", cython), ("C", c)):
        print(f"kernel, {name:8} {Medians.of(side).shown()} of processor time")
    print(f"kernel, mode 0 / mode 2: {_ratio(plain, cython)}; mode 2 / C: {_ratio(cython, c)}")
    print("results equal, bit for bit", flush=True)


def _ratio(ours: Sequence[float], theirs: Sequence[float]) -> str:
    each = Medians.of([one / other for one, other in zip(ours, theirs, strict=True)])
    return f"{each.median:.3g} ({each.low:.3g} to {each.high:.3g})"


def compare_runs(client: Client, rounds: int) -> None:
    """Print the example as a whole in the local modes."""
    request = CreateBenchmark(
        app=str(FLIGHTS),
        modes=(Mode.PLAIN, Mode.POOL, Mode.CYTHON, Mode.CYTHON | Mode.POOL),
        selection=Selection(workers={THIS_MACHINE: CORES}, cores_per_slot=1),
        repeats=max(4, rounds),
    )
    *_, (last, _) = client.watch_benchmark(client.create_benchmark(request).id)
    assert isinstance(last, Benchmark)
    for row in last.rows:
        cpu = statistics.median(row.cpu_seconds) if row.cpu_seconds else 0.0
        print(
            f"run, mode {row.mode.words:22} {row.median:.2f} s ({row.low:.2f} to {row.high:.2f}), "
            f"CPU {cpu:.2f} s, {row.ratio:.2f} times the fastest{', noise' if row.noise else ''}"
            f"{f', {row.error}' if row.error else ''}"
        )
    print(f"recommended: {last.recommended and last.recommended.words}: {last.advice}", flush=True)


def compare_cores(
    daemon: RunningDaemon, client: Client, mode: Mode, milliseconds: float, rounds: int
) -> None:
    """Print the share of bare processes' speed that a mode reaches."""
    case = Case(f"mode {mode.words}", mode, CORES, bare_processes(CORES))
    what = f"{CORES} cores, {case.name}, {milliseconds:g} ms a partition:"
    each = EACH[milliseconds]
    ours: list[float] = []
    bare: list[float] = []
    for number in range(rounds + 1):
        before = case.floor(each, milliseconds)
        one = run(daemon, client, case, each, milliseconds)
        after = case.floor(each, milliseconds)
        if number:  # the first warms up
            ours.append(one.seconds)
            bare.append((before + after) / 2)
    print(
        f"{what:50} reaches {_ratio(bare, ours)} of {CORES} bare processes "
        f"({Medians.of(ours).shown('s', 1)} beside {Medians.of(bare).shown('s', 1)})",
        flush=True,
    )


def main() -> None:
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else 5
    parts = sys.argv[2:] or ["kernel", "runs", "cores"]
    with tempfile.TemporaryDirectory() as share:
        env = {**os.environ, "AGI_CLUSTER_SHARE": share}
        with running_daemon(env=env) as daemon, daemon.client() as client:
            if "kernel" in parts:
                compare_kernels(builds(daemon, client), rounds)
            if "runs" in parts:
                compare_runs(client, rounds)
            for mode in (Mode.POOL, Mode.CLUSTER) if "cores" in parts else ():
                for milliseconds in EACH:
                    compare_cores(daemon, client, mode, milliseconds, rounds)
    print(load())


if __name__ == "__main__":
    main()
