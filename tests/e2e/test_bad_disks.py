"""Disks that are full or read-only: told as what they are, and nothing stored is harmed."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest

from agi_cluster.client.address import Address
from agi_cluster.client.sync import Client
from agi_cluster.model.requests import CreateInstallation, CreatePlan, StartRun
from agi_cluster.model.run import RunState
from agi_cluster.testing import RunningDaemon, running_daemon
from agi_env.errors import DiskFullError

Asking = Programs = Any  # the classes of conftest.py


@contextmanager
def mounted(path: Path, options: str) -> Iterator[Path]:
    """A disk in memory; skips the test where none can be mounted."""
    path.mkdir(exist_ok=True)
    command = ["mount", "-t", "tmpfs", "-o", options, "tmpfs", str(path)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=10, check=False)
    if done.returncode:
        pytest.skip(f"nothing can be mounted here: {done.stderr.strip()}")
    try:
        yield path
    finally:
        subprocess.run(["umount", "-l", str(path)], timeout=10, check=True)


def fill(disk: Path, leaving: int = 0) -> None:
    """Take the room of a disk, but for so many bytes."""
    with (disk / "filler").open("ab", buffering=0) as file:
        for _ in range(20):  # the daemon writes there too: what was there may be gone already
            state = os.statvfs(disk)
            room = max(1, state.f_bavail * state.f_frsize - leaving)
            with suppress(OSError):
                os.posix_fallocate(file.fileno(), 0, room)
                return
    raise AssertionError(f"{disk} could not be filled")


def make_room(disk: Path) -> None:
    (disk / "filler").unlink()


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningDaemon]:
    """A daemon whose state is on a small disk; its share is elsewhere."""
    state = tmp_path_factory.mktemp("d") / "s"
    with mounted(state, "size=60m"), running_daemon(state) as daemon:
        yield daemon


@pytest.fixture(scope="module")
def client(small: RunningDaemon) -> Iterator[Client]:
    """A client of that daemon, and so what ``ask`` and ``toy`` use."""
    with small.client() as client:
        yield client


def test_a_state_directory_that_is_read_only(
    tmp_path: Path, asking: type[Asking], programs: type[Programs]
) -> None:
    with mounted(tmp_path / "s", "ro") as state:
        error = asking.told(programs(state).serve(), "STATE_UNWRITABLE")
        assert error.where == str(state)
        programs(state).complaint("STATE_UNWRITABLE", "apps", "list")


def test_a_state_directory_without_room(
    tmp_path: Path, asking: type[Asking], programs: type[Programs]
) -> None:
    with mounted(tmp_path / "s", "size=64k") as state:
        fill(state)
        asking.told(programs(state).serve(), "DISK_FULL")
        with pytest.raises(DiskFullError) as caught:
            Client(Address.of_state(state)).__enter__()
        assert "No space left" in programs(state).complaint(caught.value.code, "apps", "list")
        make_room(state)
        subprocess.run(["mount", "-o", "remount,size=10m", str(state)], timeout=10, check=True)
        with running_daemon(state) as daemon, daemon.client() as client:
            assert client.list_apps().items == ()


def test_a_full_disk_refuses_and_harms_nothing(
    small: RunningDaemon, client: Client, ask: Asking, toy: Path, make_app
) -> None:
    other = str(make_app("other"))
    before = (client.list_runs(), client.get_settings("toy"), client.list_apps())
    fill(small.state)
    calls = (
        lambda: client.start_run(StartRun(app="toy")),
        lambda: client.create_installation(CreateInstallation(app="toy")),
        lambda: client.create_plan(CreatePlan(app="toy")),
        lambda: client.register_app(other),
        lambda: ask.set_key("toy", "args.x", "word " * 2000),
    )
    for call in calls:
        ask.refused("DISK_FULL", call)
    assert (client.list_runs(), client.get_settings("toy"), client.list_apps()) == before
    make_room(small.state)
    assert ask.run(toy).result == 1


def test_an_install_that_finds_no_room(small: RunningDaemon, ask: Asking, make_app) -> None:
    root = make_app("large")
    wide = root / "src" / "large_worker" / "wide.py"
    wide.write_text("X = 1\n" * 500_000)
    fill(small.state, leaving=2 << 20)
    ask.told(ask.install(root).error, "DISK_FULL")
    make_room(small.state)
    wide.unlink()
    assert ask.run(root).state is RunState.SUCCEEDED


def test_a_disk_that_fills_in_the_middle_of_a_run(
    small: RunningDaemon, client: Client, ask: Asking, toy: Path, tmp_path: Path
) -> None:
    """What has happened is not forgotten: the run goes on, and is told of once there is room."""
    gate = tmp_path / "gate"
    started = ask.begun(toy, gate=str(gate), parts=20)
    fill(small.state)
    gate.touch()
    ask.until(lambda: "room on the disk" in client.get_run(started.id).waiting_for)
    make_room(small.state)
    ended = ask.settled(started.id)
    assert (ended.state, ended.result) == (RunState.SUCCEEDED, sum(range(20)))
    assert ask.run(toy).result == 1


def test_a_disk_that_fills_before_a_daemon_comes_back(
    small: RunningDaemon, client: Client, ask: Asking, toy: Path, tmp_path: Path
) -> None:
    gate = tmp_path / "gate"
    started = ask.begun(toy, gate=str(gate))
    small.kill()
    fill(small.state)
    gate.touch()
    small.start()
    ask.until(lambda: "room on the disk" in client.get_run(started.id).waiting_for)
    make_room(small.state)
    assert (ask.settled(started.id).state, ask.run(toy).result) == (RunState.SUCCEEDED, 1)


@pytest.mark.parametrize(("leaving", "size"), [(0, 1), (128 << 10, 400 << 10)])
def test_results_that_find_no_room(
    ask: Asking, toy: Path, tmp_path: Path, leaving: int, size: int
) -> None:
    with mounted(tmp_path / "disk", "size=256k") as disk:
        fill(disk, leaving)
        ask.failure(toy, "DISK_FULL", args={"data_out": str(disk / "results"), "bytes": size})
    assert ask.run(toy).result == 1
