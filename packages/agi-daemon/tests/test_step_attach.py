"""The one way to a step's process: its stop, when even its supervisor is stuck."""

from __future__ import annotations

import json
import os
import select
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from agi_daemon.pipelines.step_attach import Stop
from agi_env.runtime import process_tree

# A step that does not end when it is told, and says that it is there.
STUBBORN = """
import os, signal, sys, time
signal.signal(signal.SIGTERM, signal.SIG_IGN)
with open("pid.draft", "w") as file: file.write(str(os.getpid()))
os.rename("pid.draft", "pid")
time.sleep(600)
"""


class Step:
    """A stubborn step, and the attach that started it."""

    def __init__(self, directory: Path) -> None:
        order = {"argv": [sys.executable, "-c", STUBBORN], "cwd": str(directory), "env": {}}
        (directory / "step.json").write_text(json.dumps(order))
        command = [sys.executable, "-m", "agi_daemon.pipelines.step_attach", str(directory)]
        command += ["--epoch", "1"]
        self.attach = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        self.supervisor = int(self.line()["attached"]["pid"])

    def line(self) -> dict[str, Any]:
        assert self.attach.stdout is not None
        said: dict[str, Any] = json.loads(self.attach.stdout.readline())
        return said

    def end(self) -> None:
        process_tree.kill_tree(self.supervisor)
        with self.attach:
            self.attach.kill()


@pytest.fixture
def step(tmp_path: Path) -> Iterator[Step]:
    step = Step(tmp_path)
    yield step
    step.end()


def ends(pid: int, within_s: float) -> bool:
    try:
        handle = os.pidfd_open(pid)
    except ProcessLookupError:
        return True
    try:
        return bool(select.select([handle], [], [], within_s)[0])
    finally:
        os.close(handle)


def test_a_stop_ends_a_step_whose_supervisor_is_stuck(step: Step, tmp_path: Path) -> None:
    while not (tmp_path / "pid").exists():
        assert not ends(step.supervisor, within_s=0.02)
    process = int((tmp_path / "pid").read_text())
    os.kill(step.supervisor, signal.SIGSTOP)
    stop = Stop(step.supervisor, keep_s=0.2)
    stop.take(b'{"op": "stop", "grace_s": 0.1}')
    while not ends(step.supervisor, within_s=stop.patience_ms() / 1000):
        stop.insist()

    assert ends(process, within_s=20)
    assert step.line() == {"gone": None}
    assert step.attach.wait(20) == 0
