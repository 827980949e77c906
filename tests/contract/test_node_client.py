"""A client that we did not write: Node's grpc-js, from the files and by reflection."""

from __future__ import annotations

import hashlib
import json
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

CLIENT = Path(__file__).with_name("node")
DEADLINE_S = 100
WAITING_WORKER = """
import time


class {manager}Worker:
    def __init__(self, env, **args):
        pass

    def work(self, partition, out):
        time.sleep(600)
"""


@pytest.fixture(scope="module")
def waiting(world: Any, make_app: Any) -> str:
    """An app whose partitions take longer than anybody waits."""
    path = make_app("waiting", worker=WAITING_WORKER)
    return world.wire.call("AppService.RegisterApp", {"path": str(path)}).name


@pytest.fixture(scope="module")
def installed() -> None:
    """The packages of the lockfile, beside it; installed anew when it has changed."""
    for program in ("node", "npm"):
        if shutil.which(program) is None:
            pytest.skip(f"{program} is not installed: apt-get install nodejs npm")
    lock = (CLIENT / "package-lock.json").read_bytes()
    mark = CLIENT / "node_modules" / ".installed-lock"
    digest = hashlib.sha256(lock).hexdigest()
    if not mark.is_file() or mark.read_text() != digest:
        npm("ci", "--ignore-scripts", "--no-audit", "--no-fund")
        mark.write_text(digest)


def npm(*arguments: str) -> None:
    done = subprocess.run(
        ["npm", *arguments],
        cwd=CLIENT,
        capture_output=True,
        text=True,
        timeout=DEADLINE_S,
        check=False,
    )
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("how", ["files", "server"])
@pytest.mark.usefixtures("installed")
def test_it_runs_watches_cancels_and_is_refused(world: Any, waiting: str, how: str) -> None:
    address = f"unix:{world.daemon.address.socket}"
    done = subprocess.run(
        ["node", CLIENT / "client.mjs", how, address, world.words["app"], waiting],
        capture_output=True,
        text=True,
        timeout=DEADLINE_S,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    met = json.loads(done.stdout)
    assert met["daemon"]["pid"] == world.daemon.pid
    check_finished(met["finished"])
    check_cancelled(met["cancelled"])
    check_refused(met["refused"])


def check_finished(met: dict[str, Any]) -> None:
    assert met["started"]["name"] == met["repeated"]["name"] == met["whole"]["run"]["name"]
    assert met["whole"]["first"] == "snapshot"
    assert met["whole"]["run"]["state"] == "STATE_SUCCEEDED"
    events = met["whole"]["events"]
    assert [event["sequence"] for event in events] == list(range(1, len(events) + 1))
    assert "partition_finished" in {event["kind"] for event in events}
    assert met["rest"]["events"] == events[met["half"] :]
    assert met["rest"]["sequence"] == met["whole"]["sequence"] == len(events)


def check_cancelled(met: dict[str, Any]) -> None:
    assert met["answer"]["target"] == "STATE_CANCELLED"
    assert met["run"]["state"] == "STATE_CANCELLED"
    assert "cancel_asked" in {event["kind"] for event in met["events"]}


def check_refused(met: dict[str, Any]) -> None:
    (info,) = met["infos"]
    assert (info["reason"], info["domain"]) == ("RUN_NOT_FOUND", "agi.v1")
    assert met["status"] == "NOT_FOUND"
    assert info["metadata"]["run"] == "none"
    assert info["metadata"]["what"] in met["message"]
