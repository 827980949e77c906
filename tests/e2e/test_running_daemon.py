"""The public fixture: a real daemon that is private, can crash, and leaves nothing behind."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path

import pytest

from agi_cluster.client import Address, Client
from agi_cluster.testing import running_daemon
from agi_env.errors import StateUnreadableError


def test_it_serves_survives_a_crash_and_is_gone_at_the_end():
    with running_daemon() as daemon:
        with daemon.client() as client:
            assert client.get_daemon().pid == daemon.pid
            killed = daemon.pid
            daemon.kill()
            daemon.restart()
            assert client.get_daemon().pid == daemon.pid != killed
        root = daemon.root
    assert not root.exists()


async def test_the_async_client_reaches_it():
    with running_daemon() as daemon:
        async with daemon.async_client() as client:
            assert (await client.get_daemon()).state_directory == str(daemon.state)


def test_what_it_leaves_behind_is_named_and_killed():
    program = [sys.executable, "-c", "import time; time.sleep(60)"]
    with pytest.raises(AssertionError, match="left behind"), running_daemon(timeout=2) as daemon:
        left = subprocess.Popen(program, env=daemon.env)
    assert left.wait(timeout=10) == -9


def test_a_client_starts_the_default_daemon_and_says_why_it_cannot(short_state: Path):
    address = Address.of_state(short_state)
    with Client(address) as client:
        pid = client.get_daemon().pid
        assert client.stop_daemon().pid == pid
    deadline = time.monotonic() + 20
    while Path(f"/proc/{pid}").exists() and time.monotonic() < deadline:
        time.sleep(0.02)
    with running_daemon(short_state) as daemon:
        assert daemon.pid != pid
    (short_state / "store.sqlite3").write_bytes(b"no database" * 1000)
    with pytest.raises(StateUnreadableError, match="file is not a database"):
        Client(address).__enter__()


@pytest.fixture
def short_state(tmp_path_factory) -> Path:
    return tmp_path_factory.mktemp("s") / "state"
