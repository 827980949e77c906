"""Nothing secret is where others could read it: logs, process lists, files for everybody."""

from __future__ import annotations

import base64
import json
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from agi_cluster.client.sync import Client
from agi_cluster.model.requests import StartRun
from agi_cluster.model.run import Run, RunState
from agi_cluster.model.selection import Selection
from agi_cluster.testing import RunningDaemon, running_daemon
from agi_env.mode import Mode
from hosts import Cluster, Host
from hosts.disk import PASSWORD

WORKER = """\
import time
from pathlib import Path
from agi_env import BaseWorker


class {manager}Worker(BaseWorker):
    def work(self, partition, out):
        while not Path(self.args["gate"]).exists():
            time.sleep(0.02)
        return partition.payload
"""
PROCESSES = "cat /proc/[0-9]*/cmdline /proc/[0-9]*/environ 2>/dev/null || true"
FILES = "find /root /home /tmp /run /var /srv -xdev -type f -size -4M -exec cat {} + 2>/dev/null"
KEYS = ("keys", "ssh")
"""Where the manager keeps what is secret, for its user alone."""


@pytest.fixture(scope="module")
def daemon(shared_hosts: Cluster) -> Iterator[RunningDaemon]:
    with running_daemon(env={"AGI_CLUSTER_SHARE": str(shared_hosts.share)}) as daemon:
        yield daemon


@pytest.fixture
def enrolled(client: Client, hosts: Cluster) -> list[str]:
    """Two hosts to work on, beside one that let the daemon in by a password."""
    first, second, third = hosts.hosts[:3]
    for host in (first, second):
        client.create_host(
            host.address,
            user=host.user,
            identity_file=str(host.identity),
            trust_fingerprint=host.host_key,
        )
    client.create_host(third.address6, user="worker", trust_fingerprint=third.host_key)
    client.authorize_host(third.address6, PASSWORD)
    return [first.address, second.address]


def test_no_secret_is_seen(
    daemon: RunningDaemon,
    client: Client,
    hosts: Cluster,
    enrolled: list[str],
    make_app: Callable[..., Path],
) -> None:
    gate = hosts.share / "gate-secrets"
    run = client.start_run(
        StartRun(
            app=str(make_app("toy", worker=WORKER)),
            mode=Mode.CLUSTER,
            selection=Selection(workers=dict.fromkeys(enrolled, 1), cores_per_slot=1),
            args={"gate": str(gate)},
        )
    )
    while client.get_run(run.id).progress.running < 2:
        assert not client.get_run(run.id).state.settled, client.get_run(run.id).error
        time.sleep(0.05)
    marks = secrets(daemon, hosts)
    assert len(marks) == 4
    seen = {
        "manager's processes": processes_here(),
        "manager's files": files_here(daemon),
        "share": b"".join(path.read_bytes() for path in hosts.share.rglob("*") if path.is_file()),
        **{f"{host.name}: {what}": text for host in hosts for what, text in on_host(host).items()},
    }
    for place, text in seen.items():
        assert len(text) > 100 or place == "share", place
        assert {name for name, mark in marks.items() if mark in text} == set(), place
    for path in (daemon.state, *(daemon.state / name for name in KEYS)):
        assert path.stat().st_mode & 0o077 == 0
    gate.touch()
    *_, (last, _) = client.watch_run(run.id)
    assert isinstance(last, Run) and last.state is RunState.SUCCEEDED, last
    deadline = time.monotonic() + 10
    while list((daemon.state / "keys").iterdir()):
        assert time.monotonic() < deadline, "the keys of a settled run are deleted"
        time.sleep(0.05)


def secrets(daemon: RunningDaemon, hosts: Cluster) -> dict[str, bytes]:
    """A part of each secret that is found only where the secret is."""
    (keys,) = (daemon.state / "keys").glob("*/keys.json")
    own = (daemon.state / "ssh" / "id_ed25519").read_text()
    return {
        "password": PASSWORD.encode(),
        "key of the run": middle(json.loads(keys.read_bytes())["key"]),
        "daemon's SSH key": middle(own),
        "user's SSH key": middle(hosts.identity.read_text()),
    }


def middle(pem: str) -> bytes:
    """The last whole line of a key: the first ones of all keys are alike."""
    lines = [line for line in pem.splitlines() if line and not line.startswith("-")]
    return lines[-2 if len(lines) > 1 else -1].encode()[-40:]


def processes_here() -> bytes:
    found = []
    for entry in Path("/proc").glob("[0-9]*"):
        for name in ("cmdline", "environ"):
            try:
                found.append((entry / name).read_bytes())
            except OSError:  # it has ended
                continue
    return b"".join(found)


def files_here(daemon: RunningDaemon) -> bytes:
    """All that the daemon wrote, but for where its secrets are."""
    hidden = tuple(daemon.state / name for name in KEYS)
    files = [path for path in daemon.root.rglob("*") if path.is_file() and not path.is_socket()]
    ours = [path for path in files if not any(path.is_relative_to(each) for each in hidden)]
    return b"".join(path.read_bytes() for path in ours if path.suffix != ".whl")


def on_host(host: Host) -> dict[str, bytes]:
    """Command lines and environments of all processes there, and all files: ours and others'."""
    return {
        what: base64.b64decode(host.run("sh", "-c", f"({script}) | base64").stdout)
        for what, script in {"processes": PROCESSES, "files": FILES}.items()
    }
