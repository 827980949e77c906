"""Where the processor time of a partition goes, process by process, beyond its work.

    uv run python benchmarks/cpu_by_role.py [MODE [SPIN_MS [EACH [SLOTS]]]]    default 4 10 200 2

Counted is what each process uses from the start of the first partition to the end of the last,
divided by their number; an executor's is without the work itself. What the daemon does about them
afterwards has a line of its own. In mode 4 the processor time of plain Dask with as many workers
stands beside it. These figures depend little on what else the machine does, so they can be compared
where times cannot.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import threading
import time
from bisect import bisect_left
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from attrs import define, field
from medians import cpu_seconds
from partition_overhead import EVERYTHING, PLAIN_DASK, SIXTEEN, await_end

from agi_cluster.client.sync import Client
from agi_cluster.model.event import Event
from agi_cluster.model.requests import StartRun
from agi_cluster.model.run import Run, RunState
from agi_cluster.model.selection import THIS_MACHINE, Selection
from agi_cluster.testing import RunningDaemon, running_daemon
from agi_env.mode import Mode
from agi_env.runtime import process_tree

EVERY_S = 0.05
DAEMON = "daemon"
WHOLE = "whole"
OTHER = "other"
_FAMILIES = {
    "agi_env.runtime.attach": ("attach", "supervisor", "runner"),
    "agi_env.runtime.worker_attach": ("worker attach", "worker supervisor", "worker"),
    "agi_env.runtime.executor": ("executor",),
    "agi_daemon": (DAEMON,),
    str(PLAIN_DASK): ("scheduler",),
    "distributed.cli.dask_worker": ("worker",),
}
"""What the processes of a command line are, from the first forked to the last."""


@define
class Usage:
    """What one process had used, and when that was so."""

    role: str = OTHER
    words: list[str] = field(factory=list)
    times: list[float] = field(factory=list)
    seconds: list[float] = field(factory=list)

    def until(self, at: float) -> float:
        """Seconds of processor time until then, as far as looks tell."""
        after = bisect_left(self.times, at)
        if after in (0, len(self.times)):
            return self.seconds[max(0, after - 1)]
        left, right = self.times[after - 1], self.times[after]
        share = (at - left) / (right - left)
        return self.seconds[after - 1] * (1 - share) + self.seconds[after] * share


class Sampler:
    """Follows a process and all below it."""

    def __init__(self, root: int) -> None:
        self._root = root
        self._used: dict[tuple[int, int], Usage] = {}

    @contextmanager
    def following(self) -> Iterator[None]:
        """Look again and again while the context is open."""
        over = threading.Event()
        thread = threading.Thread(target=self._follow, args=(over,))
        thread.start()
        try:
            yield
        finally:
            over.set()
            thread.join()

    def between(self, begin: float, end: float) -> dict[str, float]:
        """Seconds of processor time from one time to another, by what a process is."""
        seconds: dict[str, float] = {}
        for usage in self._used.values():
            used = usage.until(end) - usage.until(begin)
            seconds[usage.role] = seconds.get(usage.role, 0.0) + used
        return seconds

    def _follow(self, over: threading.Event) -> None:
        while not over.wait(EVERY_S):
            self._look()

    def _look(self) -> None:
        root = process_tree.find(self._root)
        for process in [*([root] if root else []), *process_tree.descendants(self._root)]:
            try:
                seconds, usage = cpu_seconds(process.pid), self._usage(process)
            except (FileNotFoundError, ProcessLookupError):
                continue
            usage.times.append(time.time())
            usage.seconds.append(seconds)

    def _usage(self, process: process_tree.Process) -> Usage:
        usage = self._used.setdefault((process.pid, process.start_time), Usage())
        words = Path(f"/proc/{process.pid}/cmdline").read_bytes().decode().split("\0")
        # None are left of one that has ended, others are there once one has been forked and runs.
        if words[0] and words != usage.words:
            parents = [each.role for (pid, _), each in self._used.items() if pid == process.parent]
            usage.role, usage.words = _role(words, parents[-1:] or [""]), words
        return usage


def _role(words: list[str], parents: list[str]) -> str:
    module = next((word for word in words if word in _FAMILIES), None)
    if module is None:
        return OTHER
    family = _FAMILIES[module]
    known = family.index(parents[0]) + 1 if parents[0] in family else 0
    return family[min(known, len(family) - 1)]


def ours(daemon: RunningDaemon, client: Client, request: StartRun) -> dict[str, float]:
    """Execute a run; seconds of processor time by role."""
    sampler, seen = Sampler(daemon.pid), []
    with sampler.following():
        run = client.start_run(request)
        seen = [each for each, _ in client.watch_run(run.id, verbose=EVERYTHING)]
        await_end(daemon)
        time.sleep(2 * EVERY_S)
    last = [each for each in seen if isinstance(each, Run)][-1]
    assert last.state is RunState.SUCCEEDED, last.error
    events = [each for each in seen if isinstance(each, Event)]
    begin = min(each.time.timestamp() for each in events if each.kind == "partition_started")
    end = max(each.time.timestamp() for each in events if each.kind == "partition_finished")
    later = sampler.between(end, time.time())[DAEMON]
    return {**sampler.between(begin, end), f"{DAEMON}, later": later}


def plain_dask(workers: int, each: int, spin_ms: float) -> dict[str, float]:
    """The same work by Dask alone; seconds of processor time by role."""
    command = [sys.executable, str(PLAIN_DASK), str(workers), str(each), str(spin_ms)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        sampler = Sampler(process.pid)
        with sampler.following():
            words = process.communicate()[0].split()
    begin, end = float(words[-3]), float(words[-2])
    return sampler.between(begin, end)


def show(title: str, used: dict[str, float], count: int, spin_ms: float, working: str) -> None:
    """Print a table; `working` is the role that the work itself is done in."""
    used = {**used, working: used[working] - count * spin_ms / 1000}
    print(f"{title}, ms a partition:")
    for role, seconds in sorted(used.items(), key=lambda each: -each[1]):
        if seconds:
            print(f"  {role:20} {seconds / count * 1000:8.3f}")
    print(f"  {WHOLE:20} {sum(used.values()) / count * 1000:8.3f}", flush=True)


def main() -> None:
    texts = [*sys.argv[1:], *["4", "10", "200", "2"][len(sys.argv) - 1 :]]
    mode, spin_ms, each, slots = Mode(int(texts[0])), float(texts[1]), int(texts[2]), int(texts[3])

    def request(count: int) -> StartRun:
        args = {"partitions": count * slots, "spin_ms": spin_ms}
        selection = Selection(workers={THIS_MACHINE: slots}, cores_per_slot=1)
        return StartRun(app=str(SIXTEEN), mode=mode, args=args, selection=selection)

    with (
        tempfile.TemporaryDirectory(prefix="agi-share-") as share,
        running_daemon(env={"AGI_CLUSTER_SHARE": share}) as daemon,
        daemon.client() as client,
    ):
        ours(daemon, client, request(1))
        used = ours(daemon, client, request(each))
    what = f"{slots} slots of {each} partitions of {spin_ms:g} ms"
    show(f"mode {int(mode)}, {what}", used, each * slots, spin_ms, "executor")
    if mode is Mode.CLUSTER:
        show("Dask alone", plain_dask(slots, each, spin_ms), each * slots, spin_ms, "worker")
    print(f"load {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores")


if __name__ == "__main__":
    main()
