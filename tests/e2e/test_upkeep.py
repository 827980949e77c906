"""Backups while a daemon works, what is forgotten and what never is, and health that is true."""

from __future__ import annotations

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

from agi_cluster.client.autostart import is_serving
from agi_cluster.client.sync import Client
from agi_cluster.model.pruning import PrunePolicy
from agi_cluster.model.run import RunState
from agi_cluster.testing import RunningDaemon, running_daemon
from agi_daemon.watchdog import EXIT_CODE
from agi_env.errors import CursorExpiredError, RunNotFoundError

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
