"""From the start of a daemon to its first answer, with many runs stored and some to take up.

    uv run python benchmarks/daemon_restart.py [ROUNDS]      default 10

10,000 settled runs are stored; one long run is executing and holds all cores, 100 are queued
behind it. The daemon is killed with SIGKILL and started again, in turns with a daemon whose store
is empty and with a bare grpc.aio server. Each time ends when a read has been answered. The aim is
1 s.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from pathlib import Path

from bare_server import bare_server
from long_run import hold_all_cores
from medians import Medians, cpu_seconds, load
from stored_runs import daemon_with_runs

from agi_cluster.model.requests import StartRun
from agi_cluster.model.run import RunState
from agi_cluster.testing import RunningDaemon, running_daemon
from agi_env.mode import Mode

NOTHING = Path(__file__).parent / "apps" / "nothing_project"
RUNS, QUEUED = 10_000, 100

Times = tuple[float, float]
"""Wall and processor seconds."""


def restart(daemon: RunningDaemon) -> Times:
    """Kill the daemon, start it, read; return how long the latter two took."""
    daemon.kill()
    begun = time.perf_counter()
    daemon.start()
    with daemon.client() as client:
        client.list_runs(page_size=1)
    return time.perf_counter() - begun, cpu_seconds(daemon.pid)


def start_bare() -> Times:
    begun = time.perf_counter()
    with bare_server() as bare:
        return time.perf_counter() - begun, cpu_seconds(bare.pid)


def queue(daemon: RunningDaemon) -> None:
    with daemon.client() as client:
        for _ in range(QUEUED):
            client.start_run(StartRun(app=str(NOTHING), mode=Mode.PLAIN))


def check(daemon: RunningDaemon) -> None:
    """See that the stored runs are there, and the queued ones are still waiting."""
    with daemon.client() as client:
        queued = client.list_runs(page_size=1000, states=(RunState.QUEUED,)).items
        assert len(queued) == QUEUED, len(queued)
        assert client.get_run(f"stored-{RUNS - 1:06d}").state is RunState.SUCCEEDED


def cancel_queued(daemon: RunningDaemon) -> None:
    with daemon.client() as client:
        for run in client.list_runs(page_size=1000, states=(RunState.QUEUED,)).items:
            client.cancel_run(run.id, grace_seconds=0)


def show(sides: dict[str, Callable[[], Times]], rounds: int) -> None:
    taken: dict[str, list[Times]] = {name: [] for name in sides}
    for number in range(rounds + 1):
        for name, side in sides.items():
            times = side()
            if number:
                taken[name].append(times)
    for name, pairs in taken.items():
        wall, cpu = (Medians.of(values) for values in zip(*pairs, strict=True))
        print(f"{name:34} {wall.shown('s', 1):26} CPU {cpu.shown('s', 1)}")
    floor = Medians.of([wall for wall, _ in taken["bare grpc.aio server"]]).median
    for name, pairs in taken.items():
        print(f"{name:34} to the bare one {Medians.of([w for w, _ in pairs]).median / floor:.2f}")
    print(load())


def main() -> None:
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else 10
    with running_daemon() as empty, daemon_with_runs(RUNS) as full, hold_all_cores(full):
        queue(full)
        sides: dict[str, Callable[[], Times]] = {
            f"{RUNS} settled, {QUEUED} queued": lambda: restart(full),
            "nothing stored": lambda: restart(empty),
            "bare grpc.aio server": start_bare,
        }
        show(sides, rounds)
        check(full)
        cancel_queued(full)


if __name__ == "__main__":
    main()
