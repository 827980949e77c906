"""Hosts over OpenSSH, from the first contact to their removal, as the guide tells it."""

from __future__ import annotations

import io
import json
import re
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from agi_cli.main import run
from agi_cli.session import Session
from agi_cluster.client.sync import Client
from agi_cluster.model.host import HostState
from agi_cluster.model.requests import CreateInstallation, CreatePlan, StartRun
from agi_cluster.model.selection import Selection
from agi_cluster.testing import RunningDaemon, running_daemon
from agi_env.errors import (
    AgiError,
    HostDrainedError,
    HostKeyChangedError,
    HostKeyUntrustedError,
    HostLoginError,
    HostNotFoundError,
    HostUnreachableError,
)
from agi_env.mode import Mode
from hosts import Cluster, Host
from hosts.disk import PASSWORD
from hosts.faults.connection import cut_when
from hosts.faults.login import hanging_shell, host_key_changed, noisy_shell, sshd_stopped
from hosts.faults.tools import clock_wrong, no_python, no_uv, old_python

GUIDE = Path(__file__).parents[2] / "docs" / "guides" / "hosts.md"


@pytest.fixture(scope="module")
def daemon() -> Iterator[RunningDaemon]:
    with (
        tempfile.TemporaryDirectory() as share,
        running_daemon(env={"AGI_CLUSTER_SHARE": share}) as daemon,
    ):
        yield daemon


@pytest.fixture
def client(daemon: RunningDaemon) -> Iterator[Client]:
    """A client of a daemon that knows no host."""
    with daemon.client() as client:
        yield client
        for host in client.list_hosts().items:
            if host.address != "127.0.0.1":
                client.delete_host(host.address)


Enrol = Callable[[Host], Any]


@pytest.fixture
def enrol(client: Client) -> Enrol:
    """Enrols a host that is trusted."""

    def act(host: Host) -> Any:
        return client.create_host(
            host.address,
            user="root",
            identity_file=str(host.identity),
            trust_fingerprint=host.host_key,
        )

    return act


def test_four_hosts_are_ready_after_one_command_each(
    client: Client, hosts: Cluster, enrol: Enrol
) -> None:
    made = [enrol(host) for host in hosts]
    assert {host.state for host in made} == {HostState.READY}
    assert len({host.boot_id for host in made}) == 4
    assert len({host.root for host in made}) == 4
    assert all(host.uv_version and host.python_version >= "3.11" for host in made)
    assert {host.home for host in made} == {"/root"}


@pytest.mark.parametrize(
    ("fault", "state", "code", "said"),
    [
        (sshd_stopped(), HostState.SUSPECT, "HOST_UNREACHABLE", "nothing listens"),
        (hanging_shell, HostState.UNUSABLE, "LOGIN_SHELL_HANGS", ""),
        (no_uv, HostState.UNUSABLE, "UV_MISSING", "it has no uv"),
        (no_python, HostState.UNUSABLE, "PYTHON_MISSING", "it has no Python"),
        (old_python("3.9.2"), HostState.UNUSABLE, "PYTHON_MISSING", "3.11 or later is needed"),
    ],
    ids=["sshd_stopped", "hanging_shell", "no_uv", "no_python", "old_python"],
)
def test_a_fault_has_its_code_and_the_next_look_makes_it_ready(
    client: Client, hosts: Cluster, enrol: Enrol, fault: Any, state: HostState, code: str, said: str
) -> None:
    host = hosts[0]
    enrol(host)
    broken = host.fault(fault)
    found = client.check_host(host.address)
    assert found.error is not None
    assert (found.state, found.error.code) == (state, code), found.reason
    assert said in found.reason
    broken.undo()
    found = client.check_host(host.address)
    assert (found.state, found.reason) == (HostState.READY, "")


def test_a_noisy_shell_and_a_wrong_clock_do_no_harm(
    client: Client, hosts: Cluster, enrol: Enrol
) -> None:
    enrol(hosts[0])
    hosts[0].fault(noisy_shell)
    assert client.check_host(hosts[0].address).state is HostState.READY
    hosts[0].heal()
    hosts[0].fault(clock_wrong(3600))
    found = client.check_host(hosts[0].address)
    assert found.state is HostState.READY
    assert 3590 < found.clock_offset < 3610


def test_a_changed_key_stops_that_host_alone(client: Client, hosts: Cluster, enrol: Enrol) -> None:
    host, other = hosts[0], hosts[1]
    enrol(host), enrol(other)
    old = host.host_key
    host.fault(host_key_changed)
    host.sshd.cut()
    found = client.check_host(host.address)
    assert (found.state, found.fingerprint) == (HostState.KEY_CHANGED, old)
    assert found.offered_fingerprint == host.host_key != old
    said = str(found.error)
    assert old in said and host.host_key in said
    assert f"`agi hosts trust {host.address} --fingerprint {host.host_key}`" in said
    assert client.check_host(other.address).state is HostState.READY
    with pytest.raises(HostKeyChangedError):
        client.authorize_host(host.address, "never sent")
    assert client.trust_host(host.address, host.host_key).state is HostState.READY
    host.heal()
    client.trust_host(host.address, old)


def test_one_password_lets_the_daemon_in(
    client: Client, daemon: RunningDaemon, hosts: Cluster
) -> None:
    host = hosts[0]
    name = host.address6
    found = client.create_host(name, user="worker", trust_fingerprint=host.host_key)
    assert found.error is not None and found.error.code == "HOST_LOGIN_REFUSED"
    with pytest.raises(HostLoginError):
        client.authorize_host(name, "wrong")
    found = client.authorize_host(name, PASSWORD)
    assert (found.state, found.account) == (HostState.READY, "worker")
    key = daemon.state / "ssh" / "id_ed25519"
    assert key.stat().st_mode & 0o777 == 0o600
    kept = [path for path in daemon.state.rglob("*") if path.is_file() and not path.is_socket()]
    assert not [path for path in kept if PASSWORD.encode() in path.read_bytes()]


def test_a_daemon_killed_between_add_and_trust_has_forgotten_nothing(
    client: Client, daemon: RunningDaemon, hosts: Cluster
) -> None:
    host = hosts[0]
    made = client.create_host(host.address, user="root", identity_file=str(host.identity))
    daemon.kill()
    daemon.start()
    found = client.get_host(host.address)
    assert (found.state, found.offered_fingerprint) == (HostState.UNTRUSTED, host.host_key)
    assert found.create_time == made.create_time
    assert client.trust_host(host.address, host.host_key).state is HostState.READY
    daemon.kill()
    daemon.start()
    assert client.get_host(host.address).state is HostState.READY


def test_a_map_is_refused_before_anything_starts(
    client: Client, hosts: Cluster, enrol: Enrol, make_app: Any, tmp_path: Path
) -> None:

    app, host = str(make_app("toy")), hosts[0]
    selection = Selection(workers={host.address: 1, "127.0.0.1": 1})
    asked: list[Callable[[], object]] = [
        lambda: client.start_run(StartRun(app=app, mode=Mode.CLUSTER, selection=selection)),
        lambda: client.create_plan(CreatePlan(app=app, mode=Mode.CLUSTER, selection=selection)),
        lambda: client.create_installation(
            CreateInstallation(app=app, modes_enabled=Mode.CLUSTER, selection=selection)
        ),
    ]

    def refused(error: type[AgiError], command: str) -> None:
        for ask in asked:
            with pytest.raises(error) as caught:
                ask()
            assert command in caught.value.remedy

    refused(HostNotFoundError, f"`agi hosts add {host.address}`")
    client.create_host(host.address, user="root", identity_file=str(host.identity))
    trust = f"`agi hosts trust {host.address} --fingerprint "
    refused(HostKeyUntrustedError, f"{trust}{host.host_key}`")
    client.trust_host(host.address, host.host_key)
    client.drain_host(host.address)
    refused(HostDrainedError, f"`agi hosts resume {host.address}`")
    client.resume_host(host.address)
    host.fault(host_key_changed)
    host.sshd.cut()
    client.check_host(host.address)
    refused(HostKeyChangedError, f"{trust}{host.host_key}`")
    assert client.list_runs().items == () and client.list_installations().items == ()


def test_a_host_that_is_off_is_refused_in_time(client: Client, hosts: Cluster) -> None:
    hosts[0].power_off()
    with pytest.raises(HostUnreachableError):
        client.create_host(hosts[0].address)
    with pytest.raises(HostNotFoundError):
        client.get_host(hosts[0].address)


def test_a_connection_cut_in_the_middle_of_a_look_makes_it_suspect(
    client: Client, hosts: Cluster, enrol: Enrol
) -> None:
    ours = "/root/.local/state/agi-host"
    hosts[0].run("rm", "-rf", ours)
    hosts[0].fault(cut_when(f"{ours}/*/uv.json"))
    found = enrol(hosts[0])
    assert found.error is not None
    assert (found.state, found.error.code) == (HostState.SUSPECT, "HOST_CONNECTION_LOST")
    hosts[0].heal()
    assert client.check_host(hosts[0].address).state is HostState.READY


def test_the_commands_of_the_guide(
    client: Client, daemon: RunningDaemon, hosts: Cluster, tmp_path: Path
) -> None:
    host = hosts[0]
    config = tmp_path / "config"
    login = f"Host node1\n  HostName {host.address}\n  User worker\n  IdentityFile none\n"
    config.write_text(login)
    with running_daemon(env={"AGI_SSH_CONFIG": str(config)}) as own:
        # The guide tells when to remove a host before it tells how to drain one.
        lines = sorted(dict.fromkeys(commands()), key=lambda line: " remove " in line)
        done = {line: played(line, own, host) for line in lines}
    failed = {line: end for line, end in done.items() if end[0] != EXPECTED.get(line, 0)}
    assert failed == {}
    _, said = done["agi hosts add ann@node1"]
    assert f"`agi hosts trust node1 --fingerprint {host.host_key}`" in said


EXPECTED = {
    "agi hosts add ann@node1 --trust-fingerprint SHA256:...": 6,  # it is enrolled already
    "agi hosts trust node1 --fingerprint SHA256:...": 13,  # it lets nobody in yet
    "agi hosts check node1": 13,
    "agi hosts authorize node1": 4,  # there is no terminal
}
"""Exit codes of commands of which the guide says when they end so."""


def commands() -> list[str]:
    """Our commands in the guide's blocks, in order, without their comments."""
    blocks = re.findall(r"^```\n(.*?)^```", GUIDE.read_text(encoding="utf-8"), re.M | re.S)
    lines = [line.partition(" #")[0].strip() for block in blocks for line in block.splitlines()]
    return [line for line in lines if line.startswith("agi hosts")]


def played(line: str, daemon: RunningDaemon, host: Host) -> tuple[int, str]:
    """Carry out a command of the guide, its words for things replaced by the things."""
    words = line.replace("ann@node1", "worker@node1").replace("SHA256:...", host.host_key)
    given, _, source = words.partition(" < ")
    session = Session(
        out=io.StringIO(),
        err=io.StringIO(),
        connect=lambda start_daemon: daemon.client(),
        answers=io.StringIO(f"{PASSWORD}\n" if source else ""),
    )
    code = run(given.split()[1:], session)
    return code, session.err.getvalue()  # type: ignore[attr-defined]


def test_show_is_the_message_of_the_api(
    client: Client, daemon: RunningDaemon, hosts: Cluster, enrol: Enrol
) -> None:
    enrol(hosts[0])
    done = subprocess.run(
        ["agi", "hosts", "show", hosts[0].address, "-o", "json"],
        env=daemon.env,
        capture_output=True,
        timeout=30,
        check=True,
    )
    assert json.loads(done.stdout)["fingerprint"] == hosts[0].host_key
