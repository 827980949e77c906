"""Deleting the database and rebuilding loses no settled run, and what is not settled goes on."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from attrs import evolve

from agi_cluster.client.sync import Client
from agi_cluster.model.requests import StartRun
from agi_cluster.model.run import Run, RunState
from agi_cluster.testing import RunningDaemon, running_daemon
from agi_daemon.store.codec import plain
from agi_env.errors import AgiError, PlanNotFoundError, error_from

Asking = Any  # the class of conftest.py

FAILING = """
class {manager}Worker:
    def __init__(self, env, **args): self.args = args

    def work(self, partition, out):
        if partition.id == "p1":
            raise ValueError("no")
        return partition.payload
"""
UNNAMED = """
from agi_env import BaseApp


class {manager}(BaseApp):
    def partitions(self):
        raise ValueError("no partitions today")
"""


@pytest.fixture(scope="module")
def daemon() -> Iterator[RunningDaemon]:
    with running_daemon() as daemon:
        yield daemon


@pytest.fixture(scope="module")
def client(daemon: RunningDaemon) -> Iterator[Client]:
    with daemon.client() as client:
        yield client


@pytest.fixture(scope="module")
def settled(ask: Asking, toy: Path, make_app, tmp_path_factory) -> list[str]:
    """Runs that ended in every way, oldest first."""
    failing = make_app("failing", worker=FAILING)
    unnamed = make_app("unnamed", manager=UNNAMED)
    gate = tmp_path_factory.mktemp("gates") / "never"
    stopped = ask.begun(toy, gate=str(gate))
    ask.client.cancel_run(stopped.id, grace_seconds=0)
    ended = [ask.settled(stopped.id), ask.run(toy, mode=1, args={"parts": 30})]
    ended += [ask.run(failing), ask.run(unnamed)]
    assert [run.state.value for run in ended] == ["CANCELLED", "SUCCEEDED", "FAILED", "FAILED"]
    return [run.id for run in ended]


def recover(daemon: RunningDaemon, *words: str) -> dict[str, Any]:
    """Put the store of a daemon that does not run right; what the program says of it."""
    ended = subprocess.run(
        [sys.executable, "-m", "agi_daemon", *words, "--state-dir", str(daemon.state)],
        env=daemon.env,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    if ended.returncode:
        told = json.loads(ended.stderr)
        raise error_from(told["code"], told["metadata"])
    done: dict[str, Any] = json.loads(ended.stdout)
    return done


def everything(client: Client, run_id: str) -> tuple[Any, Any, list[Any]]:
    """A run, its partitions, and what its journal told; errors by what they say."""
    run = client.get_run(run_id)
    partitions = list(client.list_run_partitions(run_id).items)
    events = [each for each, _ in client.watch_run(run_id, verbose=3) if not isinstance(each, Run)]
    told = [(each.kind, each.time, each.data) for each in events if "epoch" in each.data]
    return plain(run), plain(partitions), told


def differences(one: dict[str, Any], other: dict[str, Any]) -> dict[str, Any]:
    """What two runs have differently."""
    return {key: (one[key], other[key]) for key in one if one[key] != other[key]}


def delete_store(daemon: RunningDaemon) -> None:
    for path in daemon.state.glob("store.sqlite3*"):
        path.unlink()


def test_deleting_the_database_loses_no_settled_run(
    daemon: RunningDaemon, client: Client, settled: list[str]
) -> None:
    before = {name: everything(client, name) for name in settled}
    named = {run["plan"] for run, _, _ in before.values()} - {""}
    plans = {name: client.get_plan(name) for name in named}
    order = [run.id for run in client.list_runs().items]
    daemon.stop()
    delete_store(daemon)
    done = recover(daemon, "rebuild")
    assert (done["restored"], done["adopted"], done["left"]) == (len(order), 0, 0), done
    daemon.start()
    after = {name: everything(client, name) for name in settled}
    for name, (run, *rest) in before.items():
        assert differences(run, after[name][0]) == {}
        assert after[name][1:] == tuple(rest)
    assert [run.id for run in client.list_runs().items] == order
    assert {name: client.get_plan(name) for name in plans} == plans


def test_rebuilding_again_changes_nothing(
    daemon: RunningDaemon, client: Client, settled: list[str]
) -> None:
    before = {name: everything(client, name) for name in settled}
    daemon.stop()
    done = recover(daemon, "rebuild")
    assert (done["restored"], done["adopted"], done["aside"]) == (0, 0, "")
    assert done["known"] >= len(settled)
    daemon.start()
    assert {name: everything(client, name) for name in settled} == before


def test_a_run_that_lives_meanwhile_is_joined(
    daemon: RunningDaemon, client: Client, ask: Asking, toy: Path, tmp_path: Path
) -> None:
    gate = tmp_path / "gate"
    started = ask.begun(toy, gate=str(gate), parts=3)
    epoch = client.get_run(started.id).epoch
    daemon.kill()
    delete_store(daemon)
    assert recover(daemon, "rebuild")["adopted"] == 1
    daemon.start()
    gate.touch()
    ended = ask.settled(started.id)
    assert (ended.state, ended.result, ended.epoch) == (RunState.SUCCEEDED, 3, epoch)


def test_a_run_that_ends_while_nobody_looks_is_restored(
    daemon: RunningDaemon, client: Client, ask: Asking, toy: Path, tmp_path: Path
) -> None:
    gate = tmp_path / "gate"
    started = ask.begun(toy, gate=str(gate))
    daemon.kill()
    delete_store(daemon)
    gate.touch()
    runner = daemon.state / "host" / "runs" / started.id / "runner.exit.json"
    ask.until(runner.exists)
    assert recover(daemon, "rebuild")["adopted"] == 0
    daemon.start()
    assert client.get_run(started.id).result == 1


def test_going_back_to_a_backup_runs_nothing_twice(
    daemon: RunningDaemon, client: Client, ask: Asking, toy: Path, tmp_path: Path
) -> None:
    """A run that the backup has as waiting was executed since."""
    gate = tmp_path / "gate"
    first = ask.begun(toy, mode=1, gate=str(gate))
    waiting = client.start_run(StartRun(app=str(toy), mode=1))
    assert client.get_run(waiting.id).state is RunState.QUEUED
    backup = client.create_backup(str(tmp_path))
    gate.touch()
    ended = [ask.settled(first.id), ask.settled(waiting.id)]
    later = ask.run(toy)
    told = {run.id: everything(client, run.id) for run in (*ended, later)}
    with pytest.raises(AgiError) as caught:
        recover(daemon, "restore", backup.path)
    assert caught.value.code == "DAEMON_ALREADY_RUNNING"
    daemon.stop()
    done = recover(daemon, "restore", backup.path)
    assert done["backup"] == backup.path and Path(done["aside"]).exists()
    daemon.start()
    ask.settled(first.id)
    assert {name: everything(client, name) for name in told} == told
    published = list(Path(ended[1].paths.published).parent.glob(f"{waiting.id}*"))
    assert len(published) == 1


def test_a_damaged_store_says_the_ways_out_and_they_lead_out(
    daemon: RunningDaemon, client: Client, ask: Asking, programs, settled: list[str]
) -> None:
    before = client.get_run(settled[1])
    daemon.stop()
    store = daemon.state / "store.sqlite3"
    store.write_bytes(b"this was never a database" * 100)
    error = programs(daemon.state).serve()
    assert error.code == "STATE_UNREADABLE"
    assert "`agi daemon restore`" in error.remedy and "`agi daemon rebuild`" in error.remedy
    done = recover(daemon, "rebuild")
    assert Path(done["aside"]).read_bytes().startswith(b"this was never")
    daemon.start()
    assert client.get_run(settled[1]) == before


def test_a_result_that_was_deleted_takes_no_run_with_it(
    daemon: RunningDaemon, client: Client, ask: Asking, toy: Path
) -> None:
    run = ask.run(toy)
    (Path(run.paths.published) / "result.json").unlink()
    daemon.stop()
    delete_store(daemon)
    done = recover(daemon, "rebuild")
    assert "its result cannot be read" in done["reasons"][run.id]
    daemon.start()
    assert client.get_run(run.id) == evolve(run, result=None)


def test_a_directory_that_is_damaged_is_named(
    daemon: RunningDaemon, client: Client, ask: Asking, toy: Path
) -> None:
    run = ask.run(toy)
    daemon.stop()
    delete_store(daemon)
    (daemon.state / "host" / "runs" / run.id / "spec.json").write_text("{")
    done = recover(daemon, "rebuild")
    assert (done["left"], list(done["reasons"])[:1]) == (1, [run.id]) or run.id in done["reasons"]
    daemon.start()
    with pytest.raises(AgiError):
        client.get_run(run.id)
    with pytest.raises(PlanNotFoundError):
        client.get_plan(run.plan)
