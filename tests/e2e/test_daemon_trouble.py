"""Trouble on the daemon's own side: runs live through it, and no driver is lost for good."""

from __future__ import annotations

import os
import signal
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import pytest

from agi_cluster.client.sync import Client
from agi_cluster.model.requests import StartRun
from agi_cluster.model.run import RunState
from agi_cluster.testing import RunningDaemon, running_daemon

Asking = Any  # the class of conftest.py

BROKEN_MANAGER = """
class {manager}:
    def __init__(self, env, **args): pass

    def partitions(self): raise ValueError("none today")
"""


@pytest.fixture(scope="module")
def daemon() -> Iterator[RunningDaemon]:
    """A daemon that waits for no lock for long."""
    with running_daemon(env={"AGI_DAEMON_STORE_WAIT": "0.1"}) as daemon:
        yield daemon


@contextmanager
def opened_store(daemon: RunningDaemon) -> Iterator[sqlite3.Connection]:
    """Another program's connection to the daemon's store."""
    path = daemon.state / "store.sqlite3"
    with closing(sqlite3.connect(path, isolation_level=None, timeout=10)) as connection:
        yield connection


@contextmanager
def no_ends(daemon: RunningDaemon) -> Iterator[None]:
    """The store takes no end of a run meanwhile."""
    with opened_store(daemon) as store:
        store.execute(
            "CREATE TRIGGER no_ends BEFORE UPDATE ON runs WHEN NEW.settled"
            " BEGIN SELECT RAISE(ABORT, 'no ends today'); END"
        )
        try:
            yield
        finally:
            store.execute("DROP TRIGGER no_ends")


def attaches(daemon: RunningDaemon) -> list[int]:
    """The daemon's lines to runners: its own children, unlike the runners' supervisors."""
    found = []
    for pid, command in daemon.processes().items():
        status = Path(f"/proc/{pid}/status")
        if "runtime.attach" in command and f"PPid:\t{daemon.pid}\n" in status.read_text():
            found.append(pid)
    return found


def logged(daemon: RunningDaemon, words: str) -> int:
    return (daemon.state / "daemon.log").read_text().count(words)


def test_a_build_that_is_away_for_a_while_fails_no_living_run(
    daemon: RunningDaemon, ask: Asking, toy: Path, tmp_path: Path
) -> None:
    gate = tmp_path / "gate"
    started = ask.begun(toy, gate=str(gate))
    (python,) = (daemon.state / "host" / "builds").glob("*/bin/python")
    away = python.rename(python.with_name("away"))
    try:
        for pid in attaches(daemon):
            os.kill(pid, signal.SIGKILL)
        ask.until(lambda: logged(daemon, "no line to the runner") > 1)
    finally:
        away.rename(python)
    gate.touch()
    ended = ask.settled(started.id)
    assert (ended.state, ended.result, ended.epoch) == (RunState.SUCCEEDED, 1, 1)


def test_a_store_that_another_program_locks_fails_no_run(
    daemon: RunningDaemon, client: Client, ask: Asking, toy: Path, tmp_path: Path
) -> None:
    gate = tmp_path / "gate"
    started = ask.begun(toy, gate=str(gate))
    with opened_store(daemon) as store:
        store.execute("BEGIN IMMEDIATE")
        gate.touch()
        ask.until(lambda: "locked" in client.get_run(started.id).waiting_for)
        ask.refused("STATE_UNWRITABLE", lambda: client.start_run(StartRun(app=str(toy))))
    ended = ask.settled(started.id)
    assert (ended.state, ended.result) == (RunState.SUCCEEDED, 1)


def test_an_end_that_cannot_be_stored_is_stored_later_and_frees_the_cores(
    daemon: RunningDaemon, client: Client, ask: Asking, toy: Path, make_app
) -> None:
    """First a run that the runner ends, then one that the daemon ends."""
    broken = make_app("broken", manager=BROKEN_MANAGER)
    ask.install(broken)
    for app, words, state in (
        (toy, "no line to the runner", RunState.SUCCEEDED),
        (broken, "work broke off", RunState.FAILED),
    ):
        before = logged(daemon, words)
        with no_ends(daemon):
            started = client.start_run(StartRun(app=str(app)))
            ask.until(lambda before=before, words=words: logged(daemon, words) > before)
            assert not client.get_run(started.id).state.settled
        assert ask.settled(started.id).state is state
    ask.until(lambda: client.list_hosts().items[0].leased_cores == 0)
    assert ask.run(toy).result == 1
