"""Commands on a host: their limits, and the end of all that they started."""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path

import pytest

from agi_daemon.install.on_host.command import attempt, run, watch_end
from agi_daemon.install.on_host.process_activity import activity
from agi_daemon.install.on_host.talk import Fault

BUSY = "import time; end = time.time() + 1.2\nwhile time.time() < end: pass\nprint('done')"
IDLE = """
import subprocess, sys, time
child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
open(sys.argv[1], "w").write(str(child.pid))
time.sleep(600)
"""


def test_what_is_busy_goes_on_though_it_says_nothing() -> None:
    argv = [sys.executable, "-c", BUSY]
    assert run(argv, {}, "busy", idle_s=0.4).strip() == "done"


def test_what_does_nothing_is_ended_with_what_it_started(tmp_path: Path) -> None:
    told = tmp_path / "pid"
    with pytest.raises(Fault, match=r"idle made no progress for 0\.5 s"):
        attempt([sys.executable, "-c", IDLE, str(told)], {}, "idle", idle_s=0.5)
    deadline = time.monotonic() + 10
    while _lives(int(told.read_text())):
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_what_takes_too_long_is_ended() -> None:
    with pytest.raises(Fault, match=r"busy did not end in 0\.3 s"):
        attempt([sys.executable, "-c", BUSY], {}, "busy", limit_s=0.3, idle_s=0.4)


def test_the_end_of_a_watched_command_in_words() -> None:
    assert watch_end([sys.executable, "-c", ""], 10) == ""
    assert watch_end([sys.executable, "-c", "raise SystemExit(3)"], 10).endswith("with 3")


def test_activity_grows_with_work() -> None:
    before = activity(os.getpid())
    sum(range(2_000_000))
    Path("/dev/null").write_text("x" * 100_000)
    assert activity(os.getpid()) > before


def _lives(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False
