"""Backups while a daemon works, what is forgotten and what never is, and health that is true."""

from __future__ import annotations

import io
import json
import os
import signal
import sqlite3
import stat
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import grpc
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc

from agi_cli.main import run as run_command
from agi_cli.session import Session
from agi_cluster.client.autostart import is_serving
from agi_cluster.client.sync import Client
from agi_cluster.model.pipeline import PipelineStep, StepState
from agi_cluster.model.pipeline_run import PipelineRun, PipelineRunState
from agi_cluster.model.pruning import PrunePolicy
from agi_cluster.model.run import RunState
from agi_cluster.testing import RunningDaemon, running_daemon
from agi_daemon.watchdog import EXIT_CODE
from agi_env.errors import CursorExpiredError, PipelineRunNotFoundError, RunNotFoundError

Asking = Any  # the class of conftest.py

STUCK = """
import asyncio, signal, sys, threading
from contextlib import asynccontextmanager

from agi_daemon.__main__ import main
from agi_daemon.compose import compose


@asynccontextmanager
async def blocking(settings, stop):
    block = lambda: threading.Event().wait()
    asyncio.get_running_loop().add_signal_handler(signal.SIGUSR1, block)
    async with compose(settings, stop) as services:
        yield services


sys.exit(main(["serve", "--state-dir", sys.argv[1]], blocking))
"""

RUNNING = """
import asyncio
from agi_cluster.agi_distributor import AGI
from agi_env import AgiEnv

asyncio.run(AGI.run(AgiEnv(app={app!r}), mode=0))
"""


@pytest.fixture(scope="module")
def daemon() -> Iterator[RunningDaemon]:
    with running_daemon(env={"AGI_DAEMON_PROBE": "0.2"}) as daemon:
        yield daemon


@pytest.fixture(scope="module")
def client(daemon: RunningDaemon) -> Iterator[Client]:
    with daemon.client() as client:
        yield client


def rows(path: Path, table: str) -> int:
    with closing(sqlite3.connect(path)) as store:
        return int(store.execute(f"SELECT count(*) FROM {table}").fetchone()[0])


def directories(daemon: RunningDaemon) -> set[str]:
    return {path.name for path in (daemon.state / "host" / "runs").iterdir()}


def test_a_backup_is_whole_and_private(
    daemon: RunningDaemon, client: Client, ask: Asking, toy: Path, tmp_path: Path
) -> None:
    ask.run(toy)
    made = [client.create_backup(), client.create_backup(str(tmp_path))]
    made.append(client.create_backup(str(tmp_path / "mine.sqlite3")))
    for backup in made:
        path = Path(backup.path)
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
        assert path.stat().st_size == backup.bytes
        assert rows(path, "runs") == rows(daemon.state / "store.sqlite3", "runs")
    assert [path.name for path in tmp_path.iterdir() if path.name.startswith(".")] == []
    assert Path(made[0].path).parent == daemon.state / "backups"


def test_what_is_old_goes_and_nothing_else(
    daemon: RunningDaemon, client: Client, ask: Asking, toy: Path, tmp_path: Path
) -> None:
    runs = [ask.run(toy) for _ in range(3)]
    living = ask.begun(toy, gate=str(tmp_path / "gate"))
    policy = PrunePolicy(older_than=0, keep=1)
    before, here = client.list_runs(), directories(daemon)
    told = client.prune_runs(policy, validate_only=True)
    assert {run.id for run in told.runs} >= {runs[0].id, runs[1].id}
    assert told.bytes > 0
    assert (client.list_runs(), directories(daemon)) == (before, here)
    done = client.prune_runs(policy)
    assert (done.runs, done.bytes) == (told.runs, told.bytes)
    assert directories(daemon) == {runs[2].id, living.id}
    assert {run.id for run in client.list_runs().items} == {runs[2].id, living.id}
    with pytest.raises(RunNotFoundError):
        client.get_run(runs[0].id)
    assert all(Path(run.paths.published, "result.json").is_file() for run in runs)
    (tmp_path / "gate").touch()
    assert ask.settled(living.id).state is RunState.SUCCEEDED


def execute(client: Client, file: Path) -> PipelineRun:
    *_, (last, _) = client.watch_pipeline_run(client.start_pipeline_run(str(file)).id)
    assert isinstance(last, PipelineRun)
    return last


def agi(daemon: RunningDaemon, *words: str) -> str:
    heard = io.StringIO()
    session = Session(out=heard, err=io.StringIO(), connect=lambda **_: daemon.client())
    assert run_command(words, session) == 0
    return heard.getvalue()


@pytest.fixture
def lab(client: Client, toy: Path, tmp_path: Path) -> Path:
    """A pipeline that writes a file and runs the toy."""
    file = tmp_path / "lab_steps.toml"
    code = "print('said')\nopen('out.txt', 'w').write('out')\n"
    client.add_pipeline_step(str(file), PipelineStep(id="say", code=code, outputs=("out.txt",)))
    code = RUNNING.format(app=str(toy))
    client.add_pipeline_step(str(file), PipelineStep(id="run", code=code, engine="agi.run"))
    return file


def test_executions_that_are_old_go_but_for_the_newest_of_each_file(
    daemon: RunningDaemon, client: Client, ask: Asking, toy: Path, lab: Path
) -> None:
    first, second, third = (execute(client, lab) for _ in range(3))
    assert third.state is PipelineRunState.SUCCEEDED, third.error
    ask.run(toy)
    folder = daemon.state / "pipelines"
    policy = PrunePolicy(older_than=0, keep=1)
    shown = agi(daemon, "runs", "prune", "--older-than", "0d", "--keep", "1")
    assert f"├── {first.id}  " in shown and "2 would go" in shown
    told = client.prune_runs(policy, validate_only=True)
    assert [run.id for run in told.pipeline_runs] == [first.id, second.id]
    assert all(run.bytes > 0 and run.file == str(lab) for run in told.pipeline_runs)
    assert {path.name for path in folder.iterdir()} == {first.id, second.id, third.id}
    done = client.prune_runs(policy)
    assert (done.pipeline_runs, done.bytes) == (told.pipeline_runs, told.bytes)
    assert [path.name for path in folder.iterdir()] == [third.id]
    assert [run.id for run in client.list_pipeline_runs(file=str(lab)).items] == [third.id]
    with pytest.raises(PipelineRunNotFoundError):
        client.get_pipeline_run(first.id)
    assert (lab.parent / "out.txt").read_text() == "out"

    (linked,) = client.get_pipeline_run(third.id).steps[1].linked
    assert linked.forgotten and not third.steps[1].linked[0].forgotten
    assert f"{linked.name} (forgotten)" in agi(daemon, "pipeline", "history", third.id)
    again = agi(daemon, "runs", "prune", "--older-than", "0d", "--no-dry-run", "-o", "json")
    (gone,) = json.loads(again)["pipelineRuns"]
    assert (gone["pipelineRun"], gone["file"]) == (f"pipelineRuns/{third.id}", str(lab))
    assert (list(folder.iterdir()), rows(daemon.state / "store.sqlite3", "step_tokens")) == ([], 0)


def test_an_execution_that_goes_on_keeps_what_it_needs(
    daemon: RunningDaemon, client: Client, ask: Asking, lab: Path, tmp_path: Path
) -> None:
    gate = tmp_path / "gate"
    waits = f"import sys, time\nfrom pathlib import Path\ngate = Path({str(gate)!r})\n"
    waits += "while not gate.exists(): time.sleep(0.02)\nsys.exit(int(gate.read_text()))\n"
    client.add_pipeline_step(str(lab), PipelineStep(id="wait", code=waits))
    gate.write_text("1")
    failed = execute(client, lab)
    gate.unlink()
    living = client.resume_pipeline_run(failed.id)
    fresh = client.start_pipeline_run(str(lab))
    ask.until(lambda: client.get_pipeline_run(fresh.id).steps[1].state is StepState.SUCCEEDED)
    done = client.prune_runs(PrunePolicy(older_than=0))
    assert done.pipeline_runs == ()
    (mine,) = client.get_pipeline_run(fresh.id).steps[1].linked
    assert client.get_run(mine.name).state is RunState.SUCCEEDED
    gate.write_text("0")
    for execution in (living, fresh):
        *_, (last, _) = client.watch_pipeline_run(execution.id)
        assert last.state is PipelineRunState.SUCCEEDED
    done = client.prune_runs(PrunePolicy(older_than=0))
    assert [run.id for run in done.pipeline_runs] == [failed.id, living.id, fresh.id]


def test_executions_that_are_old_go_by_themselves(tmp_path: Path) -> None:
    state, file = tmp_path / "s", tmp_path / "lab_steps.toml"
    with running_daemon(state) as daemon, daemon.client() as client:
        client.add_pipeline_step(str(file), PipelineStep(id="say", code="print(1)"))
        execution = execute(client, file)
    assert [path.name for path in (state / "pipelines").iterdir()] == [execution.id]
    often = {"AGI_BACKUP_HOURS": "0.0001", "AGI_PRUNE_RUNS_DAYS": "1e-9"}
    with running_daemon(state, env={**often, "AGI_PRUNE_RUNS_KEPT": "0"}):
        deadline = time.monotonic() + 60
        while list((state / "pipelines").iterdir()) or rows(
            state / "store.sqlite3", "pipeline_runs"
        ):
            assert time.monotonic() < deadline
            time.sleep(0.02)


def test_a_watcher_of_events_that_are_gone_is_told(
    daemon: RunningDaemon, client: Client, ask: Asking, toy: Path
) -> None:
    run = ask.run(toy)
    done = client.prune_runs(PrunePolicy(events_older_than=0, requests_older_than=0))
    assert done.events > 0 and done.requests > 0
    with pytest.raises(CursorExpiredError):
        list(client.watch_run(run.id, after_sequence=1))
    *_, (last, _) = client.watch_run(run.id)
    assert last == client.get_run(run.id)
    again = client.prune_runs(PrunePolicy(events_older_than=0))
    assert again.events == 0


def test_a_daily_backup_is_made_by_itself(tmp_path: Path) -> None:
    state = tmp_path / "s"
    with running_daemon(state, env={"AGI_BACKUP_HOURS": "0.0001", "AGI_BACKUPS_KEPT": "2"}):
        deadline = time.monotonic() + 60
        while ((seen := set(state.glob("backups/daily-*.sqlite3"))) and len(seen) < 2) or not seen:
            assert time.monotonic() < deadline
            time.sleep(0.05)
        for _ in range(20):
            assert len(set(state.glob("backups/daily-*.sqlite3"))) <= 3
            time.sleep(0.05)


def test_the_health_says_whether_the_store_can_be_written(
    daemon: RunningDaemon, client: Client
) -> None:
    """Another process that holds the database is as good as a disk that refuses."""
    with (
        grpc.insecure_channel(f"unix:{daemon.address.socket}") as channel,
        closing(sqlite3.connect(daemon.state / "store.sqlite3")) as other,
    ):
        health = health_pb2_grpc.HealthStub(channel)
        watch = health.Watch(health_pb2.HealthCheckRequest(service="agi.v1.RunService"), timeout=60)
        assert next(watch).status == health_pb2.HealthCheckResponse.SERVING
        other.execute("BEGIN IMMEDIATE")
        assert next(watch).status == health_pb2.HealthCheckResponse.NOT_SERVING
        assert client.list_runs().items is not None
        other.execute("ROLLBACK")
        assert next(watch).status == health_pb2.HealthCheckResponse.SERVING


def test_a_stuck_loop_ends_the_daemon_and_the_run_goes_on(
    daemon: RunningDaemon, client: Client, ask: Asking, toy: Path, tmp_path: Path
) -> None:
    gate = tmp_path / "gate"
    daemon.stop()
    env = {**daemon.env, "AGI_DAEMON_WATCHDOG": "4"}
    command = [sys.executable, "-c", STUCK, str(daemon.state)]
    with subprocess.Popen(command, env=env, stderr=subprocess.PIPE) as stuck:
        try:
            ask.until(lambda: is_serving(daemon.address))
            started = ask.begun(toy, gate=str(gate))
            os.kill(stuck.pid, signal.SIGUSR1)
            assert stuck.wait(60) == EXIT_CODE
        finally:
            stuck.kill()
    log = (daemon.state / "daemon.log").read_text()
    assert "the event loop is stuck" in log and "in run_until_complete" in log
    gate.touch()
    daemon.start()
    ended = ask.settled(started.id)
    assert (ended.state, ended.result, ended.epoch) == (RunState.SUCCEEDED, 1, 1)
