"""What a plan of very many partitions on 1,000 slots costs, end to end through a real daemon.

Run it with ``uv run python benchmarks/large_plan.py``; ``--partitions N`` for another size than a
million. The app names partitions with log-normal weights. Beside the whole ``distribute`` stands
its floor: the app's naming alone, in a child of its own. Memory is the daemon's peak and what it
holds afterwards (``VmHWM`` and ``VmRSS``). The first column is processor time of the daemon and its
children, which other work on the machine does not stretch as it does the others.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from agi_cluster.client.deadlines import Deadlines
from agi_cluster.client.sync import Client
from agi_cluster.model.plan_edit import Move, Pin, Rebalance, Swap, Undo
from agi_cluster.model.requests import CreatePlan
from agi_cluster.model.selection import Selection
from agi_cluster.testing import RunningDaemon, running_daemon
from agi_env.mode import Mode

SLOTS = 1000
REPEATS = 15
MANAGER = """\
import random
from agi_env import BaseApp, Partition


class Large(BaseApp):
    def partitions(self):
        draw = random.Random(1)
        for number in range(int(self.args["count"])):
            yield Partition.of(f"p{number}", weight=draw.lognormvariate(0, 0.5))
"""
WORKER = """\
class LargeWorker:
    def __init__(self, env, **args): ...
    def work(self, partition, out): ...
"""
NAMING = """\
import sys; sys.path.insert(0, {src!r})
from large.large import Large
class Env: ...
large = Large.__new__(Large); large.args = {{"count": {count}}}
print(sum(1 for _ in large.partitions()))
"""


def app(root: Path) -> Path:
    project = root / "large_project"
    for path, text in (
        (
            "pyproject.toml",
            '[project]\nname = "large"\nversion = "1"\nrequires-python = ">=3.11"\n',
        ),
        ("src/large/large.py", MANAGER),
        ("src/large_worker/large_worker.py", WORKER),
    ):
        file = project / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
    return project


def timed(call: Callable[[], Any]) -> tuple[Any, float]:
    start = time.perf_counter()
    answer = call()
    return answer, time.perf_counter() - start


def memory(daemon: RunningDaemon, field: str) -> str:
    status = Path(f"/proc/{daemon.pid}/status").read_text()
    (line,) = [line for line in status.splitlines() if line.startswith(field)]
    return f"{int(line.split()[1]) / 1024:.0f} MiB"


def row(what: str, seconds: list[float], processor: float) -> None:
    middle, worst = statistics.median(seconds) * 1e3, max(seconds) * 1e3
    print(f"{what:<40} {processor * 1e3:11.1f} {middle:11.1f} {worst:11.1f}", flush=True)


def processor_of(pid: int) -> float:
    """Processor seconds of a process and of its children that have ended."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return sum(map(int, fields[11:15])) / os.sysconf("SC_CLK_TCK")


def repeated(pid: int, what: str, call: Callable[[int], Any], repeats: int = REPEATS) -> None:
    before = processor_of(pid)
    seconds = [timed(partial(call, n))[1] for n in range(repeats)]
    row(what, seconds, (processor_of(pid) - before) / repeats)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--partitions", type=int, default=1_000_000)
    count = parser.parse_args().partitions
    with tempfile.TemporaryDirectory() as scratch:
        share = Path(scratch) / "share"
        share.mkdir()
        with running_daemon(env={"AGI_CLUSTER_SHARE": str(share)}) as daemon:
            measure(daemon, app(Path(scratch)), count)


def measure(daemon: RunningDaemon, project: Path, count: int) -> None:
    print(f"{count:,} partitions on {SLOTS:,} slots; milliseconds")
    print(f"{'':<40} {'processor':>11} {'median':>11} {'worst':>11}")
    print(f"the daemon before: {memory(daemon, 'VmRSS')}")
    source = NAMING.format(src=str(project / "src"), count=count)
    argv = [sys.executable, "-c", source]
    before = processor_of(os.getpid())
    _, seconds = timed(lambda: subprocess.run(argv, check=True, capture_output=True))
    row("the app's naming alone", [seconds], processor_of(os.getpid()) - before)
    selection = Selection(workers={"127.0.0.1": SLOTS}, cores_per_slot=1)
    small = CreatePlan(app=str(project), mode=Mode.CLUSTER, selection=selection, args={"count": 2})
    with Client(daemon.address, deadlines=Deadlines(plan=600, change=120)) as client:
        client.create_plan(small)
        asked = CreatePlan(
            app=str(project), mode=Mode.CLUSTER, selection=selection, args={"count": count}
        )
        before = processor_of(daemon.pid)
        plan, seconds = timed(lambda: client.create_plan(asked))
        row("distribute, whole, with its children", [seconds], processor_of(daemon.pid) - before)
        print(f"the daemon after it: {memory(daemon, 'VmRSS')}, at most {memory(daemon, 'VmHWM')}")
        print(f"{plan.predicted_finish / plan.lower_bound - 1:.4%} above the bound")
        name = f"plans/{plan.id}"
        step = max(1, count // (REPEATS + 1))
        client.list_plan_partitions(name, page_size=1)
        repeated(
            daemon.pid,
            "edit: move one",
            lambda n: client.edit_plan(
                name, [Move(partitions=(f"p{n * step}",), slot=(n * 37) % SLOTS)]
            ),
        )
        repeated(
            daemon.pid,
            "edit: swap two",
            lambda n: client.edit_plan(
                name, [Swap(first=f"p{n * step}", second=f"p{n * step + 1}")]
            ),
        )
        repeated(
            daemon.pid,
            "edit: pin one",
            lambda n: client.edit_plan(name, [Pin(partitions=(f"p{n * step}",))]),
        )
        repeated(daemon.pid, "edit: undo", lambda n: client.edit_plan(name, [Undo(revision=1 + n)]))
        repeated(daemon.pid, "get", lambda n: client.get_plan(name))
        repeated(
            daemon.pid,
            "first page of the partitions (1,000)",
            lambda n: client.list_plan_partitions(name),
        )
        repeated(
            daemon.pid,
            "first page of the partitions (50)",
            lambda n: client.list_plan_partitions(name, page_size=50),
        )
        repeated(daemon.pid, "first page of the plans", lambda n: client.list_plans())
        repeated(
            daemon.pid,
            "difference of two revisions",
            lambda n: client.diff_plans(f"{name}@1", f"{name}@9"),
        )
        repeated(daemon.pid, "lint", lambda n: client.lint_plan(name))
        repeated(daemon.pid, "edit: rebalance", lambda n: client.edit_plan(name, [Rebalance()]), 2)
        print(
            f"the daemon at the end: {memory(daemon, 'VmRSS')}, at most {memory(daemon, 'VmHWM')}"
        )
        print(
            json.dumps(
                {"store_MiB": round((daemon.state / "store.sqlite3").stat().st_size / 2**20)}
            )
        )


if __name__ == "__main__":
    main()
