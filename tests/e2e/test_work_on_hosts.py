"""What people do with real hosts: an edited plan, and the path from settings to history."""

from __future__ import annotations

import io
import json
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from agi_cli.main import run as run_command
from agi_cli.session import Session
from agi_cluster.client.sync import Client
from agi_cluster.model.event import Event
from agi_cluster.model.pipeline_run import PipelineRunState
from agi_cluster.model.plan_edit import Move
from agi_cluster.model.requests import CreatePlan, StartRun
from agi_cluster.model.run import Run, RunState
from agi_cluster.model.selection import Selection
from agi_cluster.testing import RunningDaemon, running_daemon
from agi_env.mode import Mode
from hosts.cluster import Cluster

MANAGER = """\
import json
from agi_env import BaseApp, Partition

class {manager}(BaseApp):
    def partitions(self):
        for each in json.loads(self.args["named"]):
            yield Partition.of(**each)
"""
ECHO = """\
import socket
from agi_env import BaseWorker

class {manager}Worker(BaseWorker):
    def work(self, partition, out):
        return [partition.id, socket.gethostname(), partition.payload]

    def reduce(self, results):
        return [result.value for result in results]
"""
PRINTING = """\
import time
from pathlib import Path
from agi_env import BaseWorker

class {manager}Worker(BaseWorker):
    def work(self, partition, out):
        print(f"begun {partition.id}", flush=True)
        while not Path(self.args["gate"]).exists():
            time.sleep(0.02)
        print(f"done {partition.id}", flush=True)
"""
ODD = [
    {"id": "plain", "payload": None},
    {"id": "a b\n\tc", "label": "two\nlines", "payload": "text \U0001f600 \x00"},
    {"id": "'\"#[]*\\", "label": "", "payload": [1, [2.5, None], {"k": [True, False]}]},
    {"id": "..", "label": "../../etc", "weight": 0, "payload": {"": {"\u2028": -0.5}}},
]


@pytest.fixture(scope="module")
def daemon(shared_hosts: Cluster) -> Iterator[RunningDaemon]:
    """A daemon that knows three hosts."""
    with running_daemon(env={"AGI_CLUSTER_SHARE": str(shared_hosts.share)}) as daemon:
        with daemon.client() as client:
            for host in shared_hosts.hosts[:3]:
                client.create_host(
                    host.address,
                    user=host.user,
                    identity_file=str(shared_hosts.identity),
                    trust_fingerprint=host.host_key,
                )
        yield daemon


def workers(*addresses: str) -> str:
    """What `agi settings set` is given for a map of one slot on each."""
    return f"cluster.workers={{{', '.join(f'{json.dumps(each)} = 1' for each in addresses)}}}"


def test_a_partition_that_was_moved_runs_on_its_new_host(
    client: Client, hosts: Cluster, make_app: Callable[..., Path]
) -> None:
    app = str(make_app("echo", manager=MANAGER, worker=ECHO))
    two = {hosts[0].address: 1, hosts[1].address: 1}
    chosen = Selection(workers=two, cores_per_slot=1)
    args = {"named": json.dumps(ODD)}
    plan = client.create_plan(CreatePlan(app=app, mode=Mode.CLUSTER, selection=chosen, args=args))
    before = {each.id: each.slot for each in client.list_plan_partitions(plan.name).items}
    edits = [Move(partitions=(name,), slot=1 - slot) for name, slot in before.items()]
    edited = client.edit_plan(plan.name, edits, etag=plan.etag)
    *updates, (run, _) = client.watch_run(
        client.start_run(StartRun(app=app, plan=edited.name)).id, verbose=3
    )
    assert isinstance(run, Run)
    assert (run.state, run.error) == (RunState.SUCCEEDED, None)
    events = [update.data for update, _ in updates if isinstance(update, Event)]
    finished = {each["id"]: each["slot"] for each in events if "sha256" in each and "id" in each}
    assert finished == {name: 1 - slot for name, slot in before.items()}
    names = {host.address: host.name for host in hosts}
    assert run.result == [
        [each["id"], names[plan.slots[finished[each["id"]]].host], each["payload"]] for each in ODD
    ]


def test_what_is_printed_is_told_as_it_comes_from_every_host_and_once(
    client: Client, hosts: Cluster, make_app: Callable[..., Path]
) -> None:
    app, gate = str(make_app("printing", worker=PRINTING)), hosts.share / "gate-printing"
    chosen = Selection(workers={host.address: 1 for host in hosts.hosts[:2]}, cores_per_slot=1)
    args = {"gate": str(gate), "parts": 2}
    asked = StartRun(app=app, mode=Mode.CLUSTER, selection=chosen, args=args)
    run, told = client.start_run(asked), ""
    pieces = client.read_run_log(run.id, follow=True)
    while told.count("begun") < 2:
        told += next(pieces)[1]
    assert client.get_run(run.id).state is RunState.RUNNING
    hosts[1].sshd.cut()
    gate.touch()
    told += "".join(text for _, text in pieces)
    assert client.get_run(run.id).state is RunState.SUCCEEDED
    assert (told.count("begun"), told.count("done")) == (2, 2)


def test_the_path_from_settings_to_history_when_a_worker_host_changes(
    daemon: RunningDaemon,
    client: Client,
    hosts: Cluster,
    make_app: Callable[..., Path],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Settings, install, distribute, check, run, import as steps, another host, stale, refresh."""
    monkeypatch.chdir(tmp_path)
    app = str(make_app("path"))
    first, second, third = (host.address for host in hosts.hosts[:3])

    def agi(*words: str, code: int = 0) -> str:
        heard = io.StringIO()
        session = Session(out=heard, err=heard, connect=lambda **_: daemon.client())
        assert run_command(words, session) == code, heard.getvalue()
        return heard.getvalue()

    agi("settings", "set", app, "cluster.cluster_enabled=true", workers(first, second))
    agi("install", app)
    assert "2 slots" in agi("distribute", app)
    for kind in ("install", "distribute", "run"):
        agi("snippet", kind, app, "--file", f"{kind}.py")
        agi("pipeline", "import", f"{kind}.py")
    assert "SUCCEEDED" in agi("pipeline", "run")

    agi("settings", "set", app, workers(first, third))
    assert third in agi("pipeline", "show")
    assert "STEP_STALE" in agi("pipeline", "run", code=5)
    agi("pipeline", "refresh")
    assert "SUCCEEDED" in agi("pipeline", "run")

    listed = json.loads(agi("pipeline", "history", "-o", "json"))["pipelineRuns"]
    later, earlier = (client.get_pipeline_run(each["name"]) for each in listed)
    assert (earlier.state, later.state) == (PipelineRunState.SUCCEEDED,) * 2
    for execution, places in ((earlier, {first, second}), (later, {first, third})):
        (linked,) = execution.steps[-1].linked
        run = client.get_run(linked.name)
        assert run.state is RunState.SUCCEEDED
        assert {slot.host for slot in run.slots} == places
