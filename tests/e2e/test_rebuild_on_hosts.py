"""What a lost store costs where runs were on other machines, and forgetting those runs again."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from attrs import frozen

from agi_cluster.client.sync import Client
from agi_cluster.model.pruning import PrunedRun, PrunePolicy
from agi_cluster.model.requests import StartRun
from agi_cluster.model.run import Run, RunState
from agi_cluster.model.selection import Selection
from agi_cluster.testing import RunningDaemon, running_daemon
from agi_daemon.store.codec import plain
from agi_env.errors import RunNotFoundError
from agi_env.mode import Mode
from hosts.cluster import Cluster
from hosts.host import Host

Asking = Any  # the class of conftest.py

RUNS = "/root/.local/state/agi-host/*/runs"
EVERYTHING = PrunePolicy(older_than=0)


@pytest.fixture(scope="module")
def daemon(shared_hosts: Cluster) -> Iterator[RunningDaemon]:
    with running_daemon(env={"AGI_CLUSTER_SHARE": str(shared_hosts.share)}) as daemon:
        yield daemon


@pytest.fixture(scope="module")
def client(daemon: RunningDaemon) -> Iterator[Client]:
    with daemon.client() as client:
        yield client


def enrol(client: Client, host: Host) -> None:
    client.create_host(
        host.address,
        user=host.user,
        identity_file=str(host.identity),
        trust_fingerprint=host.host_key,
    )


def start(client: Client, app: Path, scheduler: str, *workers: str, **args: Any) -> str:
    chosen = Selection(scheduler=scheduler, workers=dict.fromkeys(workers, 1), cores_per_slot=1)
    request = StartRun(app=str(app), mode=Mode.CLUSTER, selection=chosen, args=args)
    return client.start_run(request).id


@frozen
class Past:
    """Runs whose runners were on other machines, and all that was known of them."""

    first: str
    """Its runner was on a host, its workers there and on this machine."""
    second: str
    """All of it was on this machine."""
    living: str
    """As the first, and it waits for a file."""
    foreign: str
    """All of it is on the host, and waits too; its keys are not here, as if it were another's."""
    gate: Path
    known: dict[str, Any]

    @property
    def settled(self) -> tuple[str, str]:
        return self.first, self.second


@pytest.fixture(scope="module")
def past(
    daemon: RunningDaemon,
    client: Client,
    ask: Asking,
    shared_hosts: Cluster,
    make_app: Callable[..., Path],
    waiting_worker: str,
) -> Past:
    """Runs of a daemon whose store is lost then."""
    here, there = "127.0.0.1", shared_hosts[0].address
    enrol(client, shared_hosts[0])
    app = make_app("places", worker=waiting_worker)
    first = start(client, app, there, here, there, parts=6)
    second = start(client, app, here, here)
    ended = [ask.settled(each) for each in (first, second)]
    assert [(run.state, run.result) for run in ended] == [
        (RunState.SUCCEEDED, 15),
        (RunState.SUCCEEDED, 1),
    ], [run.error for run in ended]
    gate = shared_hosts.share / "gate-rebuild"
    living = start(client, app, there, here, there, gate=str(gate))
    foreign = start(client, app, there, there, gate=str(gate))
    ask.until(lambda: all(client.get_run(each).progress.running for each in (living, foreign)))
    known = {each: everything(client, each) for each in (first, second)}
    daemon.kill()
    for path in daemon.state.glob("store.sqlite3*"):
        path.unlink()
    shutil.rmtree(daemon.state / "keys" / foreign)
    return Past(first, second, living, foreign, gate, known)


def everything(client: Client, run_id: str) -> tuple[Any, Any, list[Any]]:
    """A run, its partitions, and what its journal told."""
    run = client.get_run(run_id)
    partitions = list(client.list_run_partitions(run_id).items)
    events = [each for each, _ in client.watch_run(run_id, verbose=3) if not isinstance(each, Run)]
    told = [(each.kind, each.time, each.data) for each in events if "epoch" in each.data]
    return plain(run), plain(partitions), told


def rebuild(daemon: RunningDaemon) -> dict[str, Any]:
    """Have the daemon, which does not run, take in what directories say."""
    ended = subprocess.run(
        [sys.executable, "-m", "agi_daemon", "rebuild", "--state-dir", str(daemon.state)],
        env=daemon.env,
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    done: dict[str, Any] = json.loads(ended.stdout)
    return done


def pruned(client: Client, *run_ids: str, dry_run: bool = False) -> list[PrunedRun]:
    """What pruning everything that is settled tells of these runs."""
    told = {run.id: run for run in client.prune_runs(EVERYTHING, validate_only=dry_run).runs}
    return [told[each] for each in run_ids]


def is_on(run_id: str, host: Host) -> bool:
    """Whether a host has something of a run."""
    return run_id in host.run("sh", "-c", f"ls {RUNS}").stdout.split()


@pytest.mark.timeout(300)  # installs on two machines
def test_runs_of_other_machines_are_back_once_their_hosts_are(
    daemon: RunningDaemon, client: Client, ask: Asking, hosts: Cluster, past: Past
) -> None:
    alone = rebuild(daemon)
    assert (alone["restored"], alone["adopted"], alone["reasons"]) == (1, 0, {})
    daemon.start()
    assert [run.id for run in client.list_runs().items] == [past.second]
    enrol(client, hosts[0])
    daemon.stop()
    assert (daemon.state / "keys" / past.living).is_dir()
    done = rebuild(daemon)
    assert done["adopted"] == 1 and past.living not in done["reasons"], done
    assert "another daemon's" in done["reasons"][past.foreign]
    daemon.start()
    assert {each: everything(client, each) for each in past.settled} == past.known
    past.gate.touch()
    ended = ask.settled(past.living)
    assert (ended.state, ended.result, ended.epoch) == (RunState.SUCCEEDED, 1, 1)


def test_what_is_pruned_is_gone_on_all_machines_and_a_host_that_is_off_keeps_its_runs(
    daemon: RunningDaemon, client: Client, hosts: Cluster, past: Past
) -> None:
    host, here = hosts[0], daemon.state / "host" / "runs"
    told = pruned(client, *past.settled, dry_run=True)
    assert [(run.bytes > 0, run.problem) for run in told] == [(True, "")] * 2
    assert is_on(past.first, host) and (here / past.first).is_dir()
    assert (here / past.second).is_dir()

    host.power_off()
    first, second = pruned(client, *past.settled)
    assert second == told[1] and not (here / past.second).exists()
    assert host.address in first.problem
    with pytest.raises(RunNotFoundError):
        client.get_run(past.second)
    assert client.get_run(past.first).state is RunState.SUCCEEDED

    host.power_on()
    (again,) = pruned(client, past.first)
    assert not again.problem and not is_on(past.first, host)
    assert not (here / past.first).exists()
    with pytest.raises(RunNotFoundError):
        client.get_run(past.first)
    for published in (past.known[each][0]["paths"]["published"] for each in past.settled):
        assert Path(published, "result.json").is_file()


def test_what_was_pruned_does_not_come_back_and_what_has_ended_since_does(
    daemon: RunningDaemon, client: Client, ask: Asking, hosts: Cluster, past: Past
) -> None:
    ended = f"ls {RUNS}/{past.foreign}/runner.exit.json"
    ask.until(lambda: hosts[0].run("sh", "-c", ended, check=False).returncode == 0)
    daemon.stop()
    done = rebuild(daemon)
    daemon.start()
    assert done["adopted"] == 0 and past.foreign not in done["reasons"], done
    assert client.get_run(past.foreign).result == 1
    for each in past.settled:
        with pytest.raises(RunNotFoundError):
            client.get_run(each)
