"""Runs across machines: real SSH servers, workers on other hosts, hosts that die in mid-run."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from itertools import count
from pathlib import Path
from typing import Any

import pytest

from agi_cluster.client.sync import Client
from agi_cluster.model.event import Event
from agi_cluster.model.requests import StartRun
from agi_cluster.model.run import Run, RunState
from agi_cluster.model.selection import Selection
from agi_cluster.testing import RunningDaemon, running_daemon
from agi_env.mode import Mode
from hosts.cluster import Cluster
from hosts.faults.login import login_refused
from hosts.faults.storage import share_is_another, share_read_only

DEADLINE_S = 90.0
LEASE_S = 4.0
NUMBERS = count(1)

WORKER = """\
import os
import socket
import subprocess
import sys
import time
from pathlib import Path
from agi_env import BaseWorker


class {manager}Worker(BaseWorker):
    def work(self, partition, out):
        gate = Path(self.args.get("gate") or "/")
        while partition.payload >= int(self.args.get("waiting", 1000)) and not gate.exists():
            time.sleep(0.01)
        print("number", partition.payload, "is on", socket.gethostname())
        (out / "where.txt").write_text(socket.gethostname())
        return {{"number": partition.payload, "host": socket.gethostname()}}

    def reduce(self, results):
        return {{
            "sum": sum(result.value["number"] for result in results),
            "hosts": sorted({{result.value["host"] for result in results}}),
        }}
""".replace("{{", "{").replace("}}", "}")


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
def app(make_app: Callable[..., Path]) -> str:
    """An app whose partitions say where they were, and whose later ones may wait for a file."""
    return str(make_app("places", worker=WORKER))


@pytest.fixture
def waiting(make_app: Callable[..., Path]) -> str:
    """The same as an app that never ran: no host is known to be slow because it had to wait."""
    return str(make_app(f"waits{next(NUMBERS)}", worker=WORKER))


def selection(hosts: Cluster, *places: int, scheduler: str = "") -> Selection:
    workers = {hosts[place].address: 1 for place in places}
    return Selection(scheduler=scheduler or None, workers=workers, cores_per_slot=1)


def start(client: Client, app: str, chosen: Selection, **args: Any) -> str:
    request = StartRun(app=app, mode=Mode.CLUSTER, selection=chosen, args=args)
    return client.start_run(request).id


def settle(client: Client, run_id: str) -> Run:
    updates = [update for update, _ in client.watch_run(run_id)]
    last = [update for update in updates if isinstance(update, Run)][-1]
    assert last.state.settled
    return last


def succeeded(client: Client, run_id: str) -> Run:
    run = settle(client, run_id)
    assert run.state is RunState.SUCCEEDED, run.error
    return run


def events(client: Client, run_id: str, *kinds: str) -> list[Event]:
    told = [update for update, _ in client.watch_run(run_id, verbose=3)]
    return [each for each in told if isinstance(each, Event) and each.kind in kinds]


def until_waiting(client: Client, run_id: str, number: int) -> None:
    """Wait until so many partitions are being executed at once and the others are done."""
    deadline = time.monotonic() + DEADLINE_S
    while True:
        progress = client.get_run(run_id).progress
        if progress.running == number and progress.succeeded == progress.total - number:
            return
        assert time.monotonic() < deadline, client.get_run(run_id)
        time.sleep(0.05)


def test_the_totals_are_those_of_one_machine(client: Client, hosts: Cluster, app: str) -> None:
    args = {"parts": 12}
    here = client.start_run(StartRun(app=app, mode=Mode.PLAIN, args=args)).id
    plain = succeeded(client, here)
    chosen = selection(hosts, 0, 1, 2, 3)
    run = succeeded(client, start(client, app, chosen, **args))
    assert run.result["sum"] == plain.result["sum"] == sum(range(12))
    assert run.result["hosts"] == ["host1", "host2", "host3", "host4"]
    assert Path(run.paths.published).is_relative_to(hosts.share)
    again = succeeded(client, start(client, app, chosen, **args))
    assert again.installed == ""


def test_the_scheduler_may_be_any_host(client: Client, hosts: Cluster, app: str) -> None:
    at_host = selection(hosts, 0, 1, scheduler=hosts[2].address)
    run_id = start(client, app, at_host, parts=4)
    assert succeeded(client, run_id).result["hosts"] == ["host1", "host2"]
    (begun,) = events(client, run_id, "runner_started")
    assert begun.data["host"] == "host3"
    (meeting,) = events(client, run_id, "scheduler_started")
    assert meeting.data["address"].startswith(f"tls://{hosts[2].address}:")


def test_the_managers_own_address_is_a_scheduler(client: Client, hosts: Cluster, app: str) -> None:
    ours = selection(hosts, 0, scheduler=hosts.manager)
    run_id = start(client, app, ours, parts=2)
    assert succeeded(client, run_id).result["hosts"] == ["host1"]
    (meeting,) = events(client, run_id, "scheduler_started")
    assert meeting.data["address"].startswith(f"tls://{hosts.manager}:")


def test_this_machine_and_others_work_together(client: Client, hosts: Cluster, app: str) -> None:
    chosen = Selection(workers={"127.0.0.1": 1, hosts[0].address: 1}, cores_per_slot=1)
    run = succeeded(client, start(client, app, chosen, parts=6))
    assert len(run.result["hosts"]) == 2


def test_hosts_are_reached_by_ipv6(client: Client, hosts: Cluster, app: str) -> None:
    host = hosts[1]
    client.create_host(
        host.address6,
        user=host.user,
        identity_file=str(hosts.identity),
        trust_fingerprint=host.host_key,
    )
    chosen = Selection(workers={host.address6: 1}, cores_per_slot=1)
    run_id = start(client, app, chosen, parts=2)
    assert succeeded(client, run_id).result["hosts"] == ["host2"]


@pytest.mark.parametrize("silently", [False, True])
def test_a_host_that_loses_its_power_loses_no_partition(
    client: Client, hosts: Cluster, waiting: str, silently: bool
) -> None:
    gate = hosts.share / f"gate-power-{silently}"
    chosen = selection(hosts, 0, 1)
    run_id = start(client, waiting, chosen, parts=6, waiting=4, gate=str(gate))
    until_waiting(client, run_id, 2)
    begun = time.time()
    hosts[1].power_off(silently=silently)
    moved = next(
        event
        for event, _ in client.watch_run(run_id, verbose=3)
        if isinstance(event, Event) and event.kind == "slot_lost"
    )
    # What breaks is noticed at once; what falls silent, when its lease is over.
    assert moved.time.timestamp() - begun < (2 * LEASE_S if silently else LEASE_S)
    gate.touch()
    run = succeeded(client, run_id)
    assert run.result["sum"] == sum(range(6))
    assert run.result["hosts"][0] == "host1"


def test_a_run_outlives_the_host_of_its_scheduler(
    client: Client, hosts: Cluster, waiting: str
) -> None:
    gate = hosts.share / "gate-scheduler"
    chosen = selection(hosts, 0, 1, scheduler=hosts[3].address)
    run_id = start(client, waiting, chosen, parts=6, waiting=4, gate=str(gate))
    until_waiting(client, run_id, 2)
    hosts[3].power_off()
    moved = next(
        event
        for event, _ in client.watch_run(run_id, verbose=3)
        if isinstance(event, Event) and event.kind == "runner_moved"
    )
    assert (moved.data["from"], moved.data["to"]) == (hosts[3].address, "127.0.0.1")
    gate.touch()
    run = succeeded(client, run_id)
    assert run.result["sum"] == sum(range(6))
    finished = [each.data["id"] for each in events(client, run_id, "partition_finished")]
    assert sorted(finished) == sorted(set(finished)), "what was done before was done again"


def test_a_scheduler_that_lets_nobody_in_for_a_while_is_waited_for(
    client: Client, hosts: Cluster, waiting: str
) -> None:
    gate = hosts.share / "gate-shell"
    chosen = selection(hosts, 0, 1, scheduler=hosts[3].address)
    run_id = start(client, waiting, chosen, parts=6, waiting=4, gate=str(gate))
    until_waiting(client, run_id, 2)
    refusing = hosts[3].fault(login_refused)
    hosts[3].sshd.cut()
    deadline = time.monotonic() + DEADLINE_S
    while "may not log in" not in client.get_host(hosts[3].address).reason:
        assert time.monotonic() < deadline, client.get_host(hosts[3].address)
        time.sleep(0.05)
    refusing.undo()
    gate.touch()
    assert succeeded(client, run_id).result["sum"] == sum(range(6))


def test_a_killed_daemon_takes_a_run_on_hosts_up_again(
    daemon: RunningDaemon, client: Client, hosts: Cluster, waiting: str
) -> None:
    gate = hosts.share / "gate-daemon"
    run_id = start(client, waiting, selection(hosts, 0, 1), parts=6, waiting=4, gate=str(gate))
    until_waiting(client, run_id, 2)
    daemon.kill()
    gate.touch()
    daemon.start()
    run = succeeded(client, run_id)
    assert run.result["sum"] == sum(range(6))
    assert not events(client, run_id, "slot_lost")


def test_a_share_that_is_another_one_is_refused_before_anything_starts(
    client: Client, hosts: Cluster, app: str
) -> None:
    for fault, code in ((share_is_another, "SHARE_"), (share_read_only, "SHARE_READ_ONLY")):
        broken = hosts[1].fault(fault)
        run = settle(client, start(client, app, selection(hosts, 0, 1), parts=2))
        broken.undo()
        assert run.state is RunState.FAILED
        assert run.error is not None and run.error.code.startswith(code)
        assert hosts[1].address in str(run.error)
        assert not events(client, run.id, "runner_started")


def test_logs_of_all_hosts_are_read(client: Client, hosts: Cluster, app: str) -> None:
    run_id = start(client, app, selection(hosts, 0, 1), parts=4)
    succeeded(client, run_id)
    text = "".join(piece for _, piece in client.read_run_log(run_id))
    for name in ("host1", "host2"):
        assert f"is on {name}\n" in text


def test_nothing_is_left_on_any_host(client: Client, hosts: Cluster, app: str) -> None:
    succeeded(client, start(client, app, selection(hosts, 0, 1, 2, 3), parts=4))
    deadline = time.monotonic() + 30
    for host in hosts:
        while "agi_env" in (left := host.run("ps", "-eo", "pid,args").stdout):
            assert time.monotonic() < deadline, left
            time.sleep(0.2)


SNIPPET = """\
import asyncio

from agi_cluster.agi_distributor import AGI
from agi_env import AgiEnv


async def main():
    app_env = AgiEnv(app={app!r}, verbose=1)
    workers = {workers!r}
    result = await AGI.run(app_env, scheduler={scheduler!r}, workers=workers, mode=4)
    print(result)
    print(result.data["hosts"], result.data["sum"])


asyncio.run(main())
"""


def test_a_snippet_of_two_workers_and_a_scheduler_runs_as_it_is_written(
    daemon: RunningDaemon, hosts: Cluster, app: str, tmp_path: Path
) -> None:
    workers = {hosts[0].address: 1, hosts[1].address: 1}
    program = tmp_path / "snippet.py"
    program.write_text(SNIPPET.format(app=app, workers=workers, scheduler=hosts.manager))
    done = subprocess.run(
        [sys.executable, str(program)],
        env=daemon.env,
        capture_output=True,
        text=True,
        timeout=DEADLINE_S,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[-1] == "['host1', 'host2'] 1"
