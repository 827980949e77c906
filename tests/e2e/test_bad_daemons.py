"""Daemons that cannot start or cannot be reached: told alike by program, client and terminal."""

from __future__ import annotations

import os
import signal
import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Any

import grpc
import pytest

from agi_cluster.client.address import Address
from agi_cluster.client.deadlines import Deadlines
from agi_cluster.client.sync import Client
from agi_cluster.testing import RunningDaemon
from agi_cluster.wire.errors import from_rpc
from agi_env.errors import AgiError, DaemonError

Asking = Programs = Any  # the classes of conftest.py


def a_file(state: Path) -> None:
    state.write_text("mine")


def a_damaged_store(state: Path) -> None:
    state.mkdir()
    (state / "store.sqlite3").write_bytes(b"this was never a database" * 100)


def a_store_of_a_newer_version(state: Path) -> None:
    state.mkdir()
    database = sqlite3.connect(state / "store.sqlite3")
    database.execute("PRAGMA journal_mode = WAL")
    database.execute("PRAGMA user_version = 999")
    database.close()


def a_log_that_is_a_directory(state: Path) -> None:
    (state / "daemon.log").mkdir(parents=True)


def a_directory_for_a_socket(state: Path) -> None:
    (state / "run" / "daemon.sock").mkdir(parents=True)


def contents(state: Path) -> dict[Path, bytes | None]:
    paths = [state, *state.rglob("*")]
    return {path: path.read_bytes() if path.is_file() else None for path in paths}


@pytest.mark.parametrize(
    ("spoil", "code", "what"),
    [
        (a_file, "STATE_UNWRITABLE", "Not a directory"),
        (a_damaged_store, "STATE_UNREADABLE", "file is not a database"),
        (a_store_of_a_newer_version, "STATE_UNREADABLE", "has schema 999"),
        (a_log_that_is_a_directory, "STATE_UNWRITABLE", "Is a directory"),
        (a_directory_for_a_socket, "DAEMON_START_FAILED", "this is no socket"),
    ],
)
def test_a_state_directory_that_cannot_be_used(
    tmp_path: Path,
    asking: type[Asking],
    programs: type[Programs],
    spoil: Callable[[Path], None],
    code: str,
    what: str,
) -> None:
    state = tmp_path / "s"
    spoil(state)
    before = contents(state)
    error = asking.told(programs(state).serve(), code)
    assert error.where.startswith(str(state))
    assert what in error.what
    with pytest.raises(DaemonError) as caught:
        Client(Address.of_state(state)).__enter__()
    assert caught.value.code == code
    line = programs(state).complaint(caught.value.code, "apps", "list")
    assert what in line and error.where in line
    after = contents(state)
    assert {path: after[path] for path in before} == before


def test_a_damage_in_the_middle_of_a_store(
    tmp_path: Path, asking: type[Asking], programs: type[Programs]
) -> None:
    state = tmp_path / "s"
    with Client(Address.of_state(state)) as client:
        pid = client.get_daemon().pid
        client.stop_daemon()
    asking.until(lambda: not Path(f"/proc/{pid}").exists())
    store = state / "store.sqlite3"
    pages = bytearray(store.read_bytes())
    pages[100:4000] = b"\xff" * 3900
    store.write_bytes(pages)
    asking.told(programs(state).serve(), "STATE_UNREADABLE")
    assert store.read_bytes() == pages


def test_a_socket_path_that_is_too_long(
    tmp_path: Path, asking: type[Asking], programs: type[Programs]
) -> None:
    state = tmp_path / ("long" * 25)
    error = asking.told(programs(state).serve(), "SOCKET_PATH_TOO_LONG")
    assert "AGI_STATE_DIR" in error.remedy
    asking.refused("SOCKET_PATH_TOO_LONG", lambda: Address.of_state(state))
    programs(state).complaint("SOCKET_PATH_TOO_LONG", "apps", "list")
    assert not state.exists()


def test_two_daemons_on_one_state_directory(
    daemon: RunningDaemon, client: Client, asking: type[Asking], programs: type[Programs]
) -> None:
    error = asking.told(programs(daemon.state).serve(), "DAEMON_ALREADY_RUNNING")
    assert error.metadata["pid"] == str(daemon.pid)
    assert client.get_daemon().pid == daemon.pid


def test_addresses_where_nobody_is(
    tmp_path: Path, asking: type[Asking], programs: type[Programs]
) -> None:
    asking.refused("ADDRESS_INVALID", lambda: Client("tcp:localhost:1"))
    nobody = f"unix:{tmp_path}/s.sock"
    with Client(nobody, deadlines=Deadlines(answer=0)) as client:
        asking.refused("DAEMON_UNAVAILABLE", client.get_daemon)
    words = ("apps", "list")
    programs(tmp_path).complaint("ADDRESS_INVALID", *words, AGI_ADDRESS="tcp:localhost:1")
    programs(tmp_path).complaint("DAEMON_UNAVAILABLE", "daemon", "status")


def test_a_daemon_that_does_not_answer(
    daemon: RunningDaemon, client: Client, asking: type[Asking]
) -> None:
    with Client(daemon.address, deadlines=Deadlines(read=1.0)) as hasty:
        assert hasty.get_daemon().pid == daemon.pid
        os.kill(daemon.pid, signal.SIGSTOP)
        try:
            asking.refused("DEADLINE_EXCEEDED", hasty.get_daemon)
        finally:
            os.kill(daemon.pid, signal.SIGCONT)
    assert client.get_daemon().pid == daemon.pid


def test_a_call_that_the_daemon_does_not_know(client: Client, asking: type[Asking]) -> None:
    """As a newer client may make."""
    with client.connect() as channel, pytest.raises(grpc.RpcError) as caught:
        channel.unary_unary("/agi.v1.RunService/FlyRun")(b"", timeout=10)
    asking.told(from_rpc(caught.value), "METHOD_UNKNOWN")


def test_a_manager_that_ssh_cannot_reach(asking: type[Asking]) -> None:
    with pytest.raises(AgiError) as caught, Client("ssh://nobody@127.0.0.1:1") as client:
        client.get_daemon()
    asking.told(caught.value, "TUNNEL_FAILED")
