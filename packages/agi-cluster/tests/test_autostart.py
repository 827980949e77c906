"""A daemon is started once where nobody serves, and says why when it cannot."""

from __future__ import annotations

import os
import signal
import socket
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path

import pytest

from agi_cluster.client import Address, Client
from agi_cluster.client.autostart import ensure_daemon, is_serving
from agi_env.errors import (
    AddressInvalidError,
    DaemonAlreadyRunningError,
    DaemonStartError,
    SocketPathTooLongError,
    StateUnreadableError,
    StateUnwritableError,
)

PROGRAM = Path(__file__).with_name("fake_daemon_program.py")


@pytest.fixture
def state(short_path: Path) -> Iterator[Path]:
    state = short_path / "state"
    yield state
    with suppress(FileNotFoundError, ProcessLookupError):
        os.kill(int((state / "pid").read_text()), signal.SIGKILL)


def command(state: Path, manner: str) -> list[str]:
    return [sys.executable, str(PROGRAM), str(state), manner]


def gone(pid: int) -> bool:
    return not Path(f"/proc/{pid}").exists()


def killed(state: Path) -> int:
    pid = int((state / "pid").read_text())
    os.kill(pid, signal.SIGKILL)
    deadline = time.monotonic() + 10
    while not gone(pid) and time.monotonic() < deadline:
        time.sleep(0.01)
    return pid


def test_many_clients_start_one_daemon(state):
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda _: ensure_daemon(state, command=command(state, "serve")), range(8)))
    assert (state / "started").read_text() == "x"
    with Client(Address.of_state(state)) as client:
        assert client.get_daemon().api == "agi.v1"
    assert state.stat().st_mode & 0o777 == 0o700


def test_a_killed_daemon_is_replaced_and_leaves_no_zombie(state):
    ensure_daemon(state, command=command(state, "serve"))
    assert gone(killed(state))
    address = Address.of_state(state)
    assert address.socket.exists()
    assert not is_serving(address)
    ensure_daemon(state, command=command(state, "serve"))
    assert is_serving(address)
    assert (state / "started").read_text() == "xx"


def test_a_daemon_that_cannot_start_says_why(state):
    with pytest.raises(StateUnreadableError, match="the store is of version 9") as caught:
        ensure_daemon(state, command=command(state, "refuse"))
    assert caught.value.where == "store.sqlite3"
    assert "`agi daemon restore`" in caught.value.remedy


def test_a_daemon_that_says_no_json_is_quoted(state):
    with pytest.raises(DaemonStartError, match="code 1: No module named something"):
        ensure_daemon(state, command=command(state, "babble"))


def test_a_daemon_that_does_not_serve_in_time_is_killed(state):
    with pytest.raises(DaemonStartError, match="in time"):
        ensure_daemon(state, command=command(state, "sleep"), timeout=0.5)
    assert "sleep" not in _command_lines(state)


def test_another_daemon_that_never_serves_is_named(state):
    with pytest.raises(DaemonAlreadyRunningError, match="another daemon holds it"):
        ensure_daemon(state, command=command(state, "other"), timeout=2)


def test_a_state_directory_that_cannot_be_made_is_named(short_path):
    (short_path / "file").touch()
    with pytest.raises(StateUnwritableError, match="file"):
        ensure_daemon(short_path / "file" / "state")


def test_a_bare_socket_is_somebody_who_serves(short_path):
    path = short_path / "s"
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(path))
        assert not is_serving(Address(socket=path))
        server.listen()
        assert is_serving(Address(socket=path))


def test_the_default_address_is_the_state_directorys_own():
    address = Address.here({"AGI_STATE_DIR": "/tmp/s"})
    assert (address.socket, address.state) == (Path("/tmp/s/run/daemon.sock"), Path("/tmp/s"))


def test_a_given_address_starts_nobody():
    address = Address.here({"AGI_ADDRESS": "unix:/tmp/a b%20ü.sock", "AGI_STATE_DIR": "/tmp/s"})
    assert (address.socket, address.state) == (Path("/tmp/a b%20ü.sock"), None)
    assert address.target == "unix:/tmp/a%20b%2520%C3%BC.sock"
    assert Address.parse(str(address)) == address
    assert Address.parse("unix:///tmp/x").socket == Path("/tmp/x")


@pytest.mark.parametrize(
    "text", ["", "unix:", "unix:x.sock", "tcp:1.2.3.4:5", "/tmp/x", "http://h"]
)
def test_what_is_no_address_is_refused_with_what_is(text):
    with pytest.raises(AddressInvalidError, match="Give unix:/absolute"):
        Address.parse(text)


def test_a_long_address_is_refused():
    with pytest.raises(SocketPathTooLongError):
        Address.parse("unix:/" + "x" * 107)


def _command_lines(state: Path) -> str:
    lines = []
    for entry in Path("/proc").iterdir():
        with suppress(OSError):
            line = (entry / "cmdline").read_bytes().replace(b"\0", b" ").decode()
            lines += [line] if entry.name.isdigit() and str(state) in line else []
    return "\n".join(lines)
