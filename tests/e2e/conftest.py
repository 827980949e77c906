"""How end-to-end tests ask, and how they look at what they are refused."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from agi_cluster.client.sync import Client
from agi_cluster.model.app import SettingChange
from agi_cluster.model.requests import CreateInstallation, StartRun
from agi_cluster.model.run import Run, RunState
from agi_env.errors import AgiError, catalogue, error_from

DEADLINE = 60.0

WAITING_WORKER = """
import time
from pathlib import Path


class {manager}Worker:
    def __init__(self, env, **args): self.args = args

    def work(self, partition, out):
        (out / "begun").write_bytes(b"x" * int(self.args.get("bytes", 5)))
        gate = self.args.get("gate")
        while gate and not Path(gate).exists():
            time.sleep(0.02)
        return partition.payload

    def reduce(self, results): return sum(result.value for result in results)
"""


class Asking:
    """A client, with what the tests of refusals do again and again."""

    def __init__(self, client: Client) -> None:
        self.client = client

    @staticmethod
    def request(app: Path | str, **asked: Any) -> StartRun:
        """What starts a run of an app."""
        return StartRun(app=str(app), **asked)

    def run(self, app: Path | str, **asked: Any) -> Run:
        """Run an app to its end."""
        return self.settled(self.client.start_run(self.request(app, **asked)).id)

    def settled(self, run_id: str) -> Run:
        """The run as it ended."""
        *_, (last, _) = self.client.watch_run(run_id, verbose=0)
        return last

    def failure(self, app: Path | str, code: str, **asked: Any) -> AgiError:
        """The error of this code that a run of an app ends with."""
        ended = self.run(app, **asked)
        assert ended.state is RunState.FAILED
        return self.told(ended.error, code)

    def install(self, app: Path | str) -> Any:
        """Install an app; the installation as it ended."""
        started = self.client.create_installation(CreateInstallation(app=str(app)))
        *_, (last, _) = self.client.watch_installation(started.id)
        return last

    def set_key(self, app: str, key: str, value: str, **more: Any) -> Any:
        """Change one key of an app's settings."""
        return self.client.update_settings(app, [SettingChange(key=key, value=value)], **more)

    def begun(self, app: Path | str, **args: Any) -> Run:
        """A run of an app with these arguments, once a partition of it is under way."""
        started = self.client.start_run(StartRun(app=str(app), args=args))
        self.until(lambda: self.client.get_run(started.id).progress.running > 0)
        return started

    @staticmethod
    def told(error: AgiError | None, code: str) -> AgiError:
        """The error, after a look at the one line that a person sees, and at its parts."""
        assert error is not None
        line = str(error)
        assert error.code == code, line
        assert isinstance(error, catalogue()[code])
        assert "\n" not in line and "Traceback" not in line
        assert error.what and error.remedy
        return error

    @staticmethod
    def refused(code: str, call: Callable[[], Any]) -> AgiError:
        """The error of this code that a call ends with."""
        with pytest.raises(AgiError) as caught:
            call()
        return Asking.told(caught.value, code)

    @staticmethod
    def until(condition: Callable[[], bool]) -> None:
        """Wait for a condition."""
        deadline = time.monotonic() + DEADLINE
        while not condition():
            assert time.monotonic() < deadline
            time.sleep(0.02)


class Programs:
    """The programs that people start, in a state directory."""

    def __init__(self, state: Path) -> None:
        self.state = state
        self.env = {**os.environ, "AGI_STATE_DIR": str(state), "AGI_LOCAL_SHARE": f"{state}-share"}
        self.env.pop("AGI_ADDRESS", None)

    def agi(self, *words: str, **env: str) -> subprocess.CompletedProcess[str]:
        """The command line, at a terminal that is none."""
        return self._ended("agi_cli.main", *words, **env)

    def complaint(self, code: str, *words: str, **env: str) -> str:
        """The one line on stderr, and nothing else, of a command that is refused."""
        ended = self.agi(*words, **env)
        (line,) = ended.stderr.splitlines()
        assert (ended.stdout, ended.returncode) == ("", catalogue()[code].exit_code)
        assert line.startswith("error: ") and line.endswith(f" [{code}]"), line
        return line

    def serve(self) -> AgiError:
        """The error with which the daemon ends instead of serving."""
        ended = self._ended("agi_daemon", "serve", "--state-dir", str(self.state))
        (line,) = ended.stderr.splitlines()
        error = error_from(json.loads(line)["code"], json.loads(line)["metadata"])
        assert (ended.stdout, ended.returncode) == ("", error.exit_code)
        return error

    def _ended(self, module: str, *words: str, **env: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", module, *words],
            capture_output=True,
            text=True,
            timeout=DEADLINE,
            check=False,
            env={**self.env, **env},
            stdin=subprocess.DEVNULL,
        )


@pytest.fixture(scope="module")
def ask(client: Client) -> Asking:
    """Asks the daemon of the file."""
    return Asking(client)


@pytest.fixture(scope="session")
def asking() -> type[Asking]:
    """For clients of other daemons."""
    return Asking


@pytest.fixture(scope="session")
def programs() -> type[Programs]:
    """For the programs in other state directories."""
    return Programs


@pytest.fixture(scope="session")
def waiting_worker() -> str:
    """The text of a worker that waits for a file ``gate`` and writes ``bytes`` bytes."""
    return WAITING_WORKER


@pytest.fixture(scope="module")
def toy(ask: Asking, make_app) -> Path:
    """An app with the waiting worker, installed; two partitions, their sum is 1."""
    root = make_app("toy", worker=WAITING_WORKER)
    assert ask.run(root).result == 1
    return root
