"""Installs on hosts over SSH: side by side, each for itself, whatever happens to the others."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from agi_cluster.client.sync import Client
from agi_cluster.model.event import Event
from agi_cluster.model.installation import HostInstallation, Installation, InstallationState
from agi_cluster.model.requests import CreateInstallation
from agi_cluster.model.selection import Selection
from agi_cluster.testing import RunningDaemon, running_daemon
from agi_env.mode import Mode
from hosts import Cluster, Host
from hosts.faults.connection import cut_when
from hosts.faults.login import hanging_shell
from hosts.faults.storage import disk_full
from hosts.faults.tools import no_python, no_uv

DEADLINE_S = 120.0
IDLE_S = 3.0
ROOTS = "/root/.local/state/agi-host"
HUNG_UV = """\
#!/bin/sh
case "$1" in pip) sleep 86399 & wait;; esac
exec {uv} "$@"
"""


@pytest.fixture(scope="module")
def daemon(shared_hosts: Cluster) -> Iterator[RunningDaemon]:
    """A daemon that knows four hosts, and soon sees that a build goes no further."""
    env = {"AGI_CLUSTER_SHARE": str(shared_hosts.share), "AGI_INSTALL_IDLE": str(IDLE_S)}
    with running_daemon(env=env) as daemon:
        with daemon.client() as client:
            for host in shared_hosts:
                client.create_host(
                    host.address,
                    user=host.user,
                    identity_file=str(shared_hosts.identity),
                    trust_fingerprint=host.host_key,
                )
        yield daemon


class Installing:
    """Has an app that is another release each time it is edited installed on hosts."""

    def __init__(self, client: Client, app: Path) -> None:
        self.client = client
        self.app = app
        self._edits = 0

    def edit(self) -> None:
        """Change a line of the app."""
        self._edits += 1
        worker = self.app / "src" / "toy_worker" / "toy_worker.py"
        worker.write_text(f"{worker.read_text()}\nEDIT = {self._edits}\n")

    def begin(self, *hosts: Host) -> Installation:
        """Ask for it."""
        selection = Selection(workers={host.address: 1 for host in hosts})
        request = CreateInstallation(
            app=str(self.app), modes_enabled=Mode.CLUSTER, selection=selection
        )
        return self.client.create_installation(request)

    def end(self, installation: Installation) -> Installation:
        """Wait until it is settled."""
        *_, (last, _) = self.client.watch_installation(installation.id)
        assert isinstance(last, Installation) and last.state.settled
        return last

    def on(self, *hosts: Host) -> Installation:
        """Ask for it and wait."""
        return self.end(self.begin(*hosts))

    def kinds(self, installation: Installation) -> list[tuple[str, str]]:
        """What happened, and where."""
        told = [update for update, _ in self.client.watch_installation(installation.id)]
        return [(e.kind, str(e.data.get("host", ""))) for e in told if isinstance(e, Event)]


@pytest.fixture(scope="module")
def app(make_app: Callable[..., Path]) -> Path:
    return make_app("toy")


@pytest.fixture
def installing(client: Client, app: Path, hosts: Cluster) -> Installing:
    installing = Installing(client, app)
    installing.edit()
    return installing


def by_host(installation: Installation) -> dict[str, HostInstallation]:
    return {each.host: each for each in installation.hosts}


def test_hosts_without_an_index_install_and_are_shipped_what_they_lack_once(
    installing: Installing, hosts: Cluster
) -> None:
    offline = hosts[0].run("python3", "-c", REACHES_AN_INDEX, check=False)
    assert "unreachable" in offline.stdout
    done = installing.on(*hosts)
    assert done.state is InstallationState.SUCCEEDED, done.error
    assert len({each.build for each in by_host(done).values() if each.host != "127.0.0.1"}) == 1
    installing.edit()
    edited = installing.on(*hosts)
    for each in edited.hosts:
        assert [name for name in each.shipped_wheels if not name.startswith("toy_app")] == []
    again = installing.on(*hosts)
    assert again.unchanged and again.release == edited.release
    kinds = [kind for kind, _ in installing.kinds(done)]
    assert kinds.count("collecting") <= 1, "hosts of a platform resolve once"


REACHES_AN_INDEX = """
import socket
try:
    socket.create_connection(("151.101.0.223", 443), 2)
except OSError:
    print("unreachable")
"""


@pytest.mark.parametrize(
    ("fault", "code"),
    [
        (hanging_shell, "LOGIN_SHELL_HANGS"),
        (no_uv, "UV_MISSING"),
        (no_python, "PYTHON_MISSING"),
        (disk_full(ROOTS, "1g"), "DISK_FULL"),
        (None, "HOST_UNREACHABLE"),
    ],
    ids=["hanging_shell", "no_uv", "no_python", "disk_full", "off"],
)
def test_a_bad_host_is_named_and_the_others_are_installed(
    installing: Installing, hosts: Cluster, fault: Callable[..., Iterator[None]], code: str
) -> None:
    bad, *good = hosts
    for host in hosts:
        installing.client.check_host(host.address)
    if fault is None:
        bad.power_off()
    else:
        bad.fault(fault)
    bad.sshd.cut()
    done = installing.on(*hosts)
    assert done.state is InstallationState.FAILED
    assert done.error is not None and done.error.code == code
    outcome = by_host(done)
    assert outcome[bad.address].state is InstallationState.FAILED
    assert bad.address in str(outcome[bad.address].error)
    for host in good:
        assert outcome[host.address].state is InstallationState.SUCCEEDED
    bad.heal()
    mended = installing.on(*hosts)
    assert mended.state is InstallationState.SUCCEEDED, mended.error
    assert {each.host for each in mended.hosts if not each.unchanged} == {bad.address}


def test_a_build_that_hangs_is_ended_with_all_its_processes(
    installing: Installing, hosts: Cluster
) -> None:
    bad, good = hosts[0], hosts[1]
    uv = bad.disk / "usr/local/bin/uv"
    target = uv.readlink()
    uv.unlink()
    uv.write_text(HUNG_UV.format(uv=target))
    uv.chmod(0o755)
    try:
        done = installing.on(bad, good)
        outcome = by_host(done)
        assert outcome[good.address].state is InstallationState.SUCCEEDED
        error = outcome[bad.address].error
        assert error is not None and error.code == "BUILD_FAILED"
        assert "uv pip install made no progress" in str(error)
        assert "86399" not in bad.run("ps", "-eo", "args").stdout
    finally:
        uv.unlink()
        uv.symlink_to(target)
    assert installing.on(bad, good).state is InstallationState.SUCCEEDED


@pytest.mark.parametrize(
    "fault",
    [cut_when(f"{ROOTS}/*/tmp/*/manifest.json"), cut_when(f"{ROOTS}/*/tmp/*/pyvenv.cfg")],
    ids=["between_start_and_answer", "in_the_middle"],
)
def test_a_connection_that_is_cut_is_made_again(
    installing: Installing, hosts: Cluster, fault: Callable[..., Iterator[None]]
) -> None:
    host = hosts[0]
    host.fault(fault)
    host.sshd.cut()
    done = installing.on(host)
    assert done.state is InstallationState.SUCCEEDED, done.error
    assert ("repeated", host.address) in installing.kinds(done)


def test_a_daemon_killed_in_mid_install_takes_it_up_again(
    daemon: RunningDaemon, installing: Installing, hosts: Cluster
) -> None:
    begun = installing.begin(*hosts)
    for update, _ in installing.client.watch_installation(begun.id):
        if isinstance(update, Event) and update.kind == "realising":
            break
    daemon.kill()
    daemon.start()
    done = installing.end(begun)
    assert done.state is InstallationState.SUCCEEDED, done.error
    assert installing.on(*hosts).unchanged
    for host in hosts:
        deadline = time.monotonic() + DEADLINE_S
        while left := host.run("sh", "-c", f"ls -A {ROOTS}/*/tmp | grep -v lock || true").stdout:
            assert time.monotonic() < deadline, left
            time.sleep(0.1)
