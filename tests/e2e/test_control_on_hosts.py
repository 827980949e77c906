"""Control of runs across machines: drained hosts, killed workers, cut links, runs in a queue."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from agi_cluster.client.sync import Client
from agi_cluster.model.event import Event
from agi_cluster.model.requests import StartRun
from agi_cluster.model.run import Cause, Run, RunState
from agi_cluster.model.selection import Selection
from agi_cluster.testing import RunningDaemon, running_daemon
from agi_env.mode import Mode
from hosts.cluster import Cluster
from hosts.faults.network import link_down
from hosts.host import Host

DEADLINE_S = 90.0
LEASE_S = 2.0

WORKER = """\
import os
import socket
import time
from pathlib import Path


class {manager}Worker:
    def __init__(self, env, **args): self.args = args

    def work(self, partition, out):
        gate = Path(self.args.get("gate") or "/")
        while not gate.exists():
            time.sleep(0.01)
        host, begun = socket.gethostname(), time.time()
        time.sleep(float(self.args.get("seconds", 0)))
        return {"number": partition.payload, "host": host, "begun": begun, "ended": time.time()}

    def reduce(self, results): return [result.value for result in results]
"""


@pytest.fixture(scope="module")
def daemon(shared_hosts: Cluster) -> Iterator[RunningDaemon]:
    """A daemon that knows four hosts, with leases that a test can wait for."""
    env = {"AGI_CLUSTER_SHARE": str(shared_hosts.share), "AGI_WORKER_LEASE": str(LEASE_S)}
    with running_daemon(env=env) as daemon:
        with daemon.client() as client:
            for host in shared_hosts:
                client.create_host(
                    host.address,
                    user=host.user,
                    identity_file=str(shared_hosts.identity),
                    trust_fingerprint=host.host_key,
                )
        yield daemon


@pytest.fixture(scope="module")
def apps(make_app: Callable[..., Path]) -> list[str]:
    """Two apps whose partitions may wait for a file and say where and when they were."""
    return [str(make_app(name, worker=WORKER)) for name in ("near", "far")]


def selection(hosts: Cluster, *places: int, slots: int = 1) -> Selection:
    workers = {hosts[place].address: slots for place in places}
    return Selection(workers=workers, cores_per_slot=1)


def start(client: Client, app: str, chosen: Selection, **args: Any) -> str:
    request = StartRun(app=app, mode=Mode.CLUSTER, selection=chosen, args=args)
    return client.start_run(request).id


def settle(client: Client, run_id: str) -> Run:
    *_, (last, _) = client.watch_run(run_id)
    assert isinstance(last, Run) and last.state.settled
    return last


def events(client: Client, run_id: str, *kinds: str) -> list[Event]:
    told = [update for update, _ in client.watch_run(run_id, verbose=3)]
    return [each for each in told if isinstance(each, Event) and each.kind in kinds]


def first_event(client: Client, run_id: str, kind: str) -> Event:
    return next(
        event
        for event, _ in client.watch_run(run_id, verbose=3)
        if isinstance(event, Event) and event.kind == kind
    )


def until(true: Callable[[], Any]) -> None:
    deadline = time.monotonic() + DEADLINE_S
    while not true():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def until_running(client: Client, run_id: str, count: int) -> None:
    until(lambda: client.get_run(run_id).progress.running == count)


def left_on(hosts: Cluster) -> list[str]:
    found = [host.run("ps", "-eo", "args").stdout for host in hosts]
    return [each for each in found if "agi_env" in each]


def worker_on(host: Host) -> str:
    """The number of the worker, which is the parent of its executor."""
    listed = host.run("pgrep", "-o", "-f", "executor_link|agi_env.runtime.executor").stdout
    return host.run("ps", "-o", "ppid=", "-p", listed.split()[0]).stdout.strip()


def lost_on(run: Run, host: str) -> Cause:
    (slot,) = [each for each in run.slots if each.host == host]
    assert slot.lost is not None
    return slot.lost


def test_a_drained_host_finishes_what_runs_and_gives_away_what_waits(
    client: Client, hosts: Cluster, apps: list[str]
) -> None:
    gate = hosts.share / "gate-drain"
    run_id = start(client, apps[0], selection(hosts, 0, 1), parts=8, gate=str(gate))
    until_running(client, run_id, 2)
    client.drain_host(hosts[1].address)
    try:
        first_event(client, run_id, "slot_drained")
        first_event(client, run_id, "partition_moved")
        gate.touch()
        run = settle(client, run_id)
    finally:
        client.resume_host(hosts[1].address)
    assert run.state is RunState.SUCCEEDED, run.error
    where = [each["host"] for each in run.result]
    assert where.count("host2") == 1, "what ran there was not taken away from it"
    assert where.count("host1") == 7
    assert lost_on(run, hosts[1].address).kind == "drained"


def test_a_killed_worker_says_how_it_ended(client: Client, hosts: Cluster, apps: list[str]) -> None:
    gate = hosts.share / "gate-worker"
    run_id = start(client, apps[0], selection(hosts, 0, 1), parts=4, gate=str(gate))
    until_running(client, run_id, 2)
    hosts[1].run("kill", "-KILL", worker_on(hosts[1]))
    gone = first_event(client, run_id, "worker_gone")
    gate.touch()
    run = settle(client, run_id)
    assert run.state is RunState.SUCCEEDED, run.error
    cause = gone.data["cause"]
    assert (cause["kind"], cause["signal"]) == ("signal", 9)
    assert run.slots[gone.data["slot"]].host == hosts[1].address
    assert lost_on(run, hosts[1].address).kind in ("signal", "disconnected")


def test_a_cancel_is_bounded_although_a_host_is_cut_off_and_clears_up_later(
    client: Client, hosts: Cluster, apps: list[str]
) -> None:
    run_id = start(client, apps[0], selection(hosts, 0, 1), parts=4, gate="/nowhere")
    until_running(client, run_id, 2)
    cut = hosts[1].fault(link_down)
    begun = time.monotonic()
    client.cancel_run(run_id, grace_seconds=0)
    run = settle(client, run_id)
    assert run.state is RunState.CANCELLED
    assert time.monotonic() - begun < 30
    until(lambda: client.get_run(run_id).uncleared_hosts == (hosts[1].address,))
    cut.undo()
    until(lambda: not client.get_run(run_id).uncleared_hosts)
    (cleared,) = events(client, run_id, "host_cleared")
    assert cleared.data["host"] == hosts[1].address
    until(lambda: not left_on(hosts))


def test_what_a_daemon_had_no_time_to_look_at_is_cleared_up_by_the_next(
    daemon: RunningDaemon, client: Client, hosts: Cluster, apps: list[str]
) -> None:
    run_id = start(client, apps[0], selection(hosts, 0, 1), parts=4, gate="/nowhere")
    until_running(client, run_id, 2)
    cut = hosts[1].fault(link_down)
    hosts[1].run("kill", "-STOP", worker_on(hosts[1]))
    client.cancel_run(run_id, grace_seconds=0)
    assert settle(client, run_id).state is RunState.CANCELLED
    daemon.kill()
    cut.undo()
    assert left_on(hosts)
    daemon.start()
    until(lambda: not left_on(hosts))


def test_three_runs_of_two_apps_share_four_hosts_in_order(
    client: Client, hosts: Cluster, apps: list[str]
) -> None:
    gate = hosts.share / "gate-queue"
    cores = client.get_host(hosts[0].address).cores
    asked: dict[str, Any] = {"parts": 8, "gate": str(gate), "seconds": 0.2}
    first = start(client, apps[0], selection(hosts, 0, 1, slots=cores), **asked)
    second = start(client, apps[1], selection(hosts, 1, 2, slots=cores), **asked)
    third = start(client, apps[0], selection(hosts, 2, 3, slots=cores), **asked)
    until(lambda: client.get_run(first).progress.running)
    waits = {run.id: run.waiting_for for run in client.list_runs(page_size=3).items}
    assert waits[first] == ""
    assert f"held by {first}" in waits[second]
    assert waits[third] == f"{second}, which was first on {hosts[2].address}"
    gate.touch()
    runs = [settle(client, run_id) for run_id in (first, second, third)]
    assert [run.state for run in runs] == [RunState.SUCCEEDED] * 3
    leased = [first_event(client, run.id, "cores_leased").time for run in runs]
    assert leased == sorted(leased)
    assert runs[0].end_time <= leased[1]
    assert runs[1].end_time <= leased[2]
    spans = [(each["host"], each["begun"], each["ended"]) for run in runs for each in run.result]
    for host, begun, _ in spans:
        at_once = sum(there == host and since <= begun < to for there, since, to in spans)
        assert at_once <= cores
