from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import grpc
import pytest

from agi_cluster.api.v1.daemon_pb2 import GetDaemonRequest, StopDaemonRequest
from agi_cluster.api.v1.daemon_pb2_grpc import DaemonServiceStub
from agi_cluster.api.v1.runs_pb2 import WatchRunRequest
from agi_cluster.api.v1.runs_pb2_grpc import RunServiceStub
from agi_cluster.wire.errors import from_rpc
from agi_daemon.server import grpc_address
from agi_env.errors import AgiError, error_from

DEADLINE = 60
ENDLESS = """
import asyncio, sys
from contextlib import asynccontextmanager
from datetime import UTC, datetime

from agi_cluster.model.run import Run, RunState
from agi_daemon.__main__ import main
from agi_daemon.compose import Services
from agi_daemon.daemon_info import ThisDaemon
from agi_daemon.store.requests import Requests
from agi_daemon.store.store import Store
from agi_env.mode import Mode


class EndlessRuns:
    async def watch_run(self, name, **kwargs):
        now = datetime.now(UTC)
        yield Run(id="r", app="a", mode=Mode(0), state=RunState.RUNNING, create_time=now), 0
        await asyncio.Event().wait()


@asynccontextmanager
async def compose(settings, stop):
    store = Store.open(settings.store_path)
    known = {"store": store, "requests": Requests(store), "active_runs": lambda: 1}
    daemon = ThisDaemon(settings, **known, stop=stop.set)
    yield Services(daemon=daemon, runs=EndlessRuns())
    store.close()
    print("closed")


sys.exit(main(["serve", "--state-dir", sys.argv[1]], compose))
"""


def serve_command(state: Path, *more: str) -> list[str]:
    return [sys.executable, "-m", "agi_daemon", "serve", "--state-dir", str(state), *more]


@contextmanager
def running(command: list[str]) -> Iterator[subprocess.Popen[str]]:
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        try:
            yield process
        finally:
            process.kill()


@contextmanager
def connected(state: Path) -> Iterator[grpc.Channel]:
    """A channel to the daemon of a state directory, once it serves."""
    with grpc.insecure_channel(
        grpc_address(state / "run" / "daemon.sock"),
        options=[("grpc.max_reconnect_backoff_ms", 50)],
    ) as channel:
        grpc.channel_ready_future(channel).result(timeout=DEADLINE)
        yield channel


def failed_start(command: list[str], **environ: str) -> AgiError:
    """The error of a daemon that cannot start, told as the program promises."""
    ended = subprocess.run(
        command,
        capture_output=True,
        text=True,
        timeout=DEADLINE,
        check=False,
        env={**os.environ, **environ},
    )
    assert ended.stdout == ""
    (line,) = ended.stderr.splitlines()
    told = json.loads(line)
    assert set(told) == {"code", "metadata"}
    error = error_from(told["code"], told["metadata"])
    assert error.code == told["code"]
    assert ended.returncode == error.exit_code
    return error


def test_it_serves_says_what_it_is_and_stops(state: Path) -> None:
    with running(serve_command(state)) as process:
        with connected(state) as channel:
            stub = DaemonServiceStub(channel)
            daemon = stub.GetDaemon(GetDaemonRequest())
            assert daemon.pid == process.pid
            assert daemon.api == "agi.v1"
            assert daemon.version
            assert daemon.schema >= 1
            assert Path(daemon.state_directory) == state
            assert Path(daemon.log_path).exists()
            assert daemon.address == f"unix:{state}/run/daemon.sock"
            stub.StopDaemon(StopDaemonRequest(validate_only=True))
            assert stub.StopDaemon(StopDaemonRequest()).pid == process.pid
        out, err = process.communicate(timeout=DEADLINE)
    assert (process.returncode, out, err) == (0, "", "")
    assert not (state / "run" / "daemon.sock").exists()


def test_two_daemons_on_one_state_directory(state: Path) -> None:
    with running(serve_command(state)) as first, connected(state) as channel:
        error = failed_start(serve_command(state))
        assert error.code == "DAEMON_ALREADY_RUNNING"
        assert error.metadata["pid"] == str(first.pid)
        assert DaemonServiceStub(channel).GetDaemon(GetDaemonRequest()).pid == first.pid


def test_a_killed_daemon_leaves_nothing_in_the_way(state: Path) -> None:
    with running(serve_command(state)) as first, connected(state):
        first.send_signal(signal.SIGKILL)
        first.wait(DEADLINE)
    assert (state / "run" / "daemon.sock").is_socket()
    with running(serve_command(state)) as second, connected(state) as channel:
        assert DaemonServiceStub(channel).GetDaemon(GetDaemonRequest()).pid == second.pid


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_in_the_middle_of_a_watch(state: Path, number: signal.Signals) -> None:
    with (
        running([sys.executable, "-c", ENDLESS, str(state)]) as process,
        connected(state) as channel,
    ):
        watch = RunServiceStub(channel).WatchRun(WatchRunRequest(name="r"))
        assert next(watch).snapshot.name == "runs/r"
        process.send_signal(number)
        with pytest.raises(grpc.RpcError) as failure:
            next(watch)
        assert from_rpc(failure.value).code == "DAEMON_UNAVAILABLE"
        assert "the daemon is stopping" in str(from_rpc(failure.value))
        out, err = process.communicate(timeout=DEADLINE)
    assert (process.returncode, out, err) == (0, "closed\n", "")


def test_a_file_in_place_of_the_state_directory(state: Path) -> None:
    state.write_text("mine")
    error = failed_start(serve_command(state))
    assert error.code == "STATE_UNWRITABLE"
    assert state.read_text() == "mine"


def test_a_state_directory_where_nothing_can_be_made() -> None:
    assert failed_start(serve_command(Path("/proc/agi"))).code == "STATE_UNWRITABLE"


def test_a_socket_path_that_is_too_long(state: Path) -> None:
    error = failed_start(serve_command(state / ("long" * 25)))
    assert error.code == "SOCKET_PATH_TOO_LONG"
    assert not state.exists()
    address = f"unix:{state}/{'long' * 25}.sock"
    assert failed_start(serve_command(state, "--address", address)).code == error.code


def test_a_damaged_store_is_left_alone(state: Path) -> None:
    state.mkdir()
    store = state / "store.sqlite3"
    store.write_bytes(b"this was never a database" * 100)
    assert failed_start(serve_command(state)).code == "STATE_UNREADABLE"
    assert store.read_bytes() == b"this was never a database" * 100


def test_a_log_that_cannot_be_written(state: Path) -> None:
    (state / "daemon.log").mkdir(parents=True)
    assert failed_start(serve_command(state)).code == "STATE_UNWRITABLE"


def test_a_socket_that_cannot_be_bound(state: Path) -> None:
    (state / "run" / "daemon.sock").mkdir(parents=True)
    assert failed_start(serve_command(state)).code == "DAEMON_START_FAILED"


def test_a_socket_that_another_daemon_serves(state: Path) -> None:
    state.mkdir(mode=0o700)
    with socket.socket(socket.AF_UNIX) as other:
        other.bind(str(state / "other.sock"))
        other.listen()
        command = serve_command(state / "mine", "--address", f"unix:{state}/other.sock")
        assert failed_start(command).code == "DAEMON_ALREADY_RUNNING"


@pytest.mark.parametrize("address", ["tcp:localhost:1", "unix:relative.sock", "/a/b.sock"])
def test_an_address_that_is_none(state: Path, address: str) -> None:
    assert failed_start(serve_command(state, "--address", address)).code == "ADDRESS_INVALID"
    assert not state.exists()


def test_arguments_that_mean_nothing(state: Path) -> None:
    assert failed_start(serve_command(state, "--fly")).code == "REQUEST_INVALID"
    assert failed_start([sys.executable, "-m", "agi_daemon"]).code == "REQUEST_INVALID"


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("AGI_DAEMON_LOG_LEVEL", "loud"),
        ("AGI_DAEMON_WATCHDOG", "soon"),
        ("AGI_DAEMON_STOP_GRACE", "-1"),
        ("AGI_DAEMON_LOG_BYTES", "inf"),
    ],
)
def test_variables_that_cannot_be_used(state: Path, name: str, value: str) -> None:
    error = failed_start(serve_command(state), **{name: value})
    assert (error.code, error.where) == ("INVALID_INPUT", name)


def test_a_defect_at_the_start_is_told_by_its_incident(state: Path) -> None:
    broken = ENDLESS.replace('print("closed")', 'raise KeyError("ours")')
    broken = broken.replace("yield Services", "stop.set(); yield Services")
    command = [sys.executable, "-c", broken, str(state)]
    ended = subprocess.run(command, capture_output=True, text=True, timeout=DEADLINE, check=False)
    assert ended.returncode == 10
    (line,) = ended.stderr.splitlines()
    told = json.loads(line)
    assert told["code"] == "INTERNAL"
    log = (state / "daemon.log").read_text()
    assert told["metadata"]["incident"] in log
    assert "KeyError: 'ours'" in log


def test_it_stays_light(state: Path) -> None:
    """What a daemon has loaded when it serves: no Dask, no numpy, no SSH."""
    show = ENDLESS.replace("stop=stop.set)", "stop=stop.set)\n    stop.set()").replace(
        'print("closed")', "print(*sys.modules)"
    )
    command = [sys.executable, "-c", show, str(state)]
    ended = subprocess.run(command, capture_output=True, text=True, timeout=DEADLINE, check=True)
    loaded = {name.partition(".")[0] for name in ended.stdout.split()}
    assert "grpc" in loaded
    assert loaded.isdisjoint({"distributed", "dask", "numpy", "asyncssh"})
