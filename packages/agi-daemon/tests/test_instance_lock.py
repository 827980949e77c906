from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from agi_daemon.instance_lock import InstanceLock
from agi_env.errors import DaemonAlreadyRunningError, StateUnwritableError

HOLD = """
import sys
from pathlib import Path
from agi_daemon.instance_lock import InstanceLock
with InstanceLock(Path(sys.argv[1]), "unix:/there"):
    print("held", flush=True)
    sys.stdin.read()
"""


def holder(path: Path) -> subprocess.Popen[str]:
    process = subprocess.Popen(
        [sys.executable, "-c", HOLD, str(path)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "held\n"
    return process


def test_the_second_is_told_who_the_first_is(tmp_path: Path) -> None:
    path = tmp_path / "daemon.lock"
    with holder(path) as first, pytest.raises(DaemonAlreadyRunningError) as refusal:
        try:
            InstanceLock(path, "unix:/here").__enter__()
        finally:
            first.communicate("")
    assert refusal.value.metadata == {"pid": str(first.pid), "address": "unix:/there"}
    assert f"process {first.pid}" in str(refusal.value)


def test_a_killed_holder_leaves_the_lock_free(tmp_path: Path) -> None:
    path = tmp_path / "daemon.lock"
    with holder(path) as first:
        first.send_signal(signal.SIGKILL)
    with InstanceLock(path, "unix:/here"):
        assert f'"pid": {os.getpid()}' in path.read_text()


def test_it_can_be_taken_again_and_again_and_is_no_child_s(tmp_path: Path) -> None:
    path = tmp_path / "daemon.lock"
    with InstanceLock(path, "a"):
        child = subprocess.Popen(
            [sys.executable, "-c", "input()"], stdin=subprocess.PIPE, close_fds=False
        )
    try:
        with InstanceLock(path, "b"):
            assert '"b"' in path.read_text()
    finally:
        child.communicate(b"\n")
    assert path.stat().st_mode & 0o777 == 0o600


def test_a_holder_that_has_not_said_its_name_yet(tmp_path: Path) -> None:
    path = tmp_path / "daemon.lock"
    with InstanceLock(path, "a"):
        path.write_text('{"pid": 12')
        with pytest.raises(DaemonAlreadyRunningError, match="another process is the daemon"):
            InstanceLock(path, "b").__enter__()


def test_a_place_that_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(StateUnwritableError):
        InstanceLock(tmp_path / "file" / "daemon.lock", "a").__enter__()
