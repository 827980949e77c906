"""Modes 4 and 5 on this machine: a real daemon, real workers under TLS, real kills."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from agi_cluster.client.sync import Client
from agi_cluster.model.event import Event
from agi_cluster.model.requests import CreatePlan, StartRun
from agi_cluster.model.run import PartitionState, Run, RunState
from agi_cluster.model.selection import Selection
from agi_cluster.testing import RunningDaemon, running_daemon
from agi_env.mode import Mode
from agi_env.runtime import process_tree

FLIGHTS = str(Path(__file__).parents[2] / "examples" / "flights_project")
TWO = Selection(workers={"127.0.0.1": 2})
DEADLINE_S = 60.0

SLOW_WORKER = """\
import time
from pathlib import Path
from agi_env import BaseWorker


class {manager}Worker(BaseWorker):
    def work(self, partition, out):
        gate = Path(self.args["gate"])
        while partition.payload % 2 and not gate.exists():
            time.sleep(0.01)
        return partition.payload

    def reduce(self, results):
        return sum(result.value for result in results)
"""


@pytest.fixture(scope="module")
def daemon(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningDaemon]:
    """A daemon with a cluster share, and leases that a test can wait for."""
    share = str(tmp_path_factory.mktemp("cluster-share"))
    with running_daemon(env={"AGI_CLUSTER_SHARE": share, "AGI_WORKER_LEASE": "2"}) as daemon:
        yield daemon


@pytest.fixture(scope="module")
def slow(make_app: Callable[..., Path]) -> str:
    """An app whose odd partitions wait for a file."""
    return str(make_app("slow", worker=SLOW_WORKER))


def settle(client: Client, run_id: str) -> Run:
    last: Run | None = None
    for update, _ in client.watch_run(run_id):
        if isinstance(update, Run):
            last = update
    assert last is not None and last.state.settled
    return last


def await_event(client: Client, run_id: str, wanted: Callable[[Event], bool]) -> Event:
    for update, _ in client.watch_run(run_id, verbose=3):
        if isinstance(update, Event) and wanted(update):
            return update
    raise AssertionError("the run settled before the event came")


def events(client: Client, run_id: str, *kinds: str) -> list[Event]:
    return [
        update
        for update, _ in client.watch_run(run_id, verbose=3)
        if isinstance(update, Event) and update.kind in kinds
    ]


def start_slow(client: Client, app: str, gate: Path, parts: int = 4) -> str:
    args = {"gate": str(gate), "parts": parts}
    request = StartRun(app=app, mode=Mode.CLUSTER, selection=TWO, args=args)
    run_id = client.start_run(request).id
    await_event(client, run_id, _waits_in_slot_1)
    return run_id


def _waits_in_slot_1(event: Event) -> bool:
    odd = event.kind == "partition_started" and int(event.data["id"][1:]) % 2
    return bool(odd) and event.data["slot"] == 1


def workers(daemon: RunningDaemon, run_id: str, slot: int) -> list[int]:
    """The worker of a slot: the child of its supervisor."""
    place = f"runs/{run_id} --slot {slot}"
    pids = [pid for pid, line in daemon.processes().items() if place in line]
    found = [process_tree.find(pid) for pid in pids]
    return [each.pid for each in found if each is not None and each.parent in pids]


def detached_worker(daemon: RunningDaemon, run_id: str, slot: int) -> int:
    """The worker itself: what has a parent among them and no child."""
    pids = workers(daemon, run_id, slot)
    parents = {each.parent for pid in pids if (each := process_tree.find(pid)) is not None}
    (pid,) = [pid for pid in pids if pid not in parents]
    return pid


def until(true: Callable[[], bool]) -> None:
    deadline = time.monotonic() + DEADLINE_S
    while not true():
        assert time.monotonic() < deadline
        time.sleep(0.02)


@pytest.mark.timeout(300)  # the whole example four times, and its builds
def test_totals_are_equal_in_all_modes_and_placement_is_that_of_the_plan(client: Client) -> None:
    results = []
    for mode in (Mode.PLAIN, Mode.POOL, Mode.CLUSTER, Mode.CLUSTER | Mode.POOL):
        selection = TWO if Mode.CLUSTER in mode else Selection()
        request = CreatePlan(app=FLIGHTS, mode=mode, selection=selection)
        plan = client.create_plan(request)
        started = client.start_run(
            StartRun(app=FLIGHTS, mode=mode, selection=selection, plan=plan.name)
        )
        run = settle(client, started.id)
        assert run.state is RunState.SUCCEEDED, (mode, run.error)
        results.append(run.result)
        planned = {each.id: each.slot for each in client.list_plan_partitions(plan.name).items}
        done = events(client, run.id, "partition_finished")
        assert {each.data["id"]: each.data["slot"] for each in done} == planned
    assert results[1:] == results[:1] * 3


def test_a_run_leaves_neither_processes_nor_keys(
    daemon: RunningDaemon, client: Client, slow: str, tmp_path: Path
) -> None:
    gate = tmp_path / "gate"
    run_id = start_slow(client, slow, gate)
    keys = daemon.state / "keys" / run_id
    assert keys.stat().st_mode & 0o777 == 0o700
    assert [each.stat().st_mode & 0o777 for each in keys.iterdir()] == [0o600]
    gate.touch()
    assert settle(client, run_id).state is RunState.SUCCEEDED
    until(lambda: not [line for line in daemon.processes().values() if run_id in line])
    until(lambda: not keys.exists())


def test_a_killed_worker_is_replaced_and_nothing_counts_twice(
    daemon: RunningDaemon, client: Client, slow: str, tmp_path: Path
) -> None:
    gate = tmp_path / "gate"
    run_id = start_slow(client, slow, gate)
    os.kill(detached_worker(daemon, run_id, 1), signal.SIGKILL)
    await_event(client, run_id, lambda event: event.kind == "slot_lost")
    await_event(client, run_id, lambda event: event.data.get("lease") == "1.3")
    gate.touch()
    run = settle(client, run_id)
    assert run.state is RunState.SUCCEEDED
    assert run.result == 6
    assert run.progress.succeeded == 4
    done = [each.data["id"] for each in events(client, run_id, "partition_finished")]
    assert sorted(done) == ["p0", "p1", "p2", "p3"]


def test_a_silent_worker_is_fenced_and_killed(
    daemon: RunningDaemon, client: Client, slow: str, tmp_path: Path
) -> None:
    gate = tmp_path / "gate"
    run_id = start_slow(client, slow, gate)
    silent = detached_worker(daemon, run_id, 1)
    os.kill(silent, signal.SIGSTOP)
    lost = await_event(client, run_id, lambda event: event.kind == "slot_lost")
    assert lost.data["reason"] == "its lease expired"
    until(lambda: (now := process_tree.find(silent)) is None or now.has_ended)
    gate.touch()
    run = settle(client, run_id)
    assert (run.state, run.result) == (RunState.SUCCEEDED, 6)


def test_a_killed_daemon_takes_up_runner_and_workers_again(
    daemon: RunningDaemon, slow: str, tmp_path: Path
) -> None:
    gate = tmp_path / "gate"
    with daemon.client() as client:
        run_id = start_slow(client, slow, gate)
    before = detached_worker(daemon, run_id, 1)
    daemon.kill()
    daemon.start()
    with daemon.client() as client:
        os.kill(before, signal.SIGKILL)
        await_event(client, run_id, lambda event: event.data.get("lease") == "1.3")
        gate.touch()
        run = settle(client, run_id)
        assert (run.state, run.result) == (RunState.SUCCEEDED, 6)
        assert run.slots[0].partitions + run.slots[1].partitions == 4


def test_a_killed_runner_is_followed_by_one_with_new_workers(
    daemon: RunningDaemon, client: Client, slow: str, tmp_path: Path
) -> None:
    gate = tmp_path / "gate"
    run_id = start_slow(client, slow, gate)
    (started,) = [
        await_event(client, run_id, lambda event: event.kind == "runner_started").data["pid"]
    ]
    os.kill(started, signal.SIGKILL)
    await_event(client, run_id, lambda event: event.data.get("lease", "").startswith("2."))
    gate.touch()
    run = settle(client, run_id)
    assert (run.state, run.result) == (RunState.SUCCEEDED, 6)


def test_a_cancelled_run_takes_its_workers_along(
    daemon: RunningDaemon, client: Client, slow: str, tmp_path: Path
) -> None:
    run_id = start_slow(client, slow, tmp_path / "gate")
    client.cancel_run(run_id, grace_seconds=0)
    assert settle(client, run_id).state is RunState.CANCELLED
    states = {each.state for each in client.list_run_partitions(run_id).items}
    assert PartitionState.RUNNING not in states
    until(lambda: not [line for line in daemon.processes().values() if run_id in line])
