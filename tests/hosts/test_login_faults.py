"""Faults of logging in do what they say, and are gone when undone."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from hosts import Cluster, Host
from hosts.disk import PASSWORD
from hosts.faults import login
from hosts.programs import ProgramError, eventually


def refused(host: Host, *options: str) -> str:
    """What ssh says that cannot log in."""
    with pytest.raises(ProgramError) as caught:
        host.ssh(*options, "true")
    return str(caught.value)


def login_that_stays(hosts: Cluster, host: Host) -> subprocess.Popen[str]:
    """An open connection whose command says ``in`` and then reads its input."""
    command = ["ssh", "-F", str(hosts.ssh_config), host.name, "echo in; cat"]
    process = subprocess.Popen(command, stdin=-1, stdout=-1, stderr=-1, text=True)
    assert process.stdout is not None
    assert process.stdout.readline() == "in\n"
    return process


def test_the_server_is_stopped_and_open_connections_stay(hosts: Cluster) -> None:
    with login_that_stays(hosts, hosts[0]) as open_one, hosts[0].fault(login.sshd_stopped()):
        assert "Connection refused" in refused(hosts[0])
        assert open_one.communicate("still", timeout=10)[0] == "still"
    assert hosts[0].ssh("echo back").stdout == "back\n"


def test_the_server_is_stopped_with_its_connections(hosts: Cluster) -> None:
    stopped = login.sshd_stopped(connections=True)
    with login_that_stays(hosts, hosts[0]) as open_one, hosts[0].fault(stopped):
        open_one.communicate(timeout=10)
        assert open_one.returncode == 255


def test_another_host_key(hosts: Cluster) -> None:
    before = hosts[0].host_key
    with hosts[0].fault(login.host_key_changed):
        assert hosts[0].host_key != before
        assert "Host key verification failed" in refused(hosts[0])
    assert hosts[0].host_key == before
    assert hosts[0].ssh("echo back").stdout == "back\n"


def test_a_noisy_shell(hosts: Cluster) -> None:
    with hosts[0].fault(login.noisy_shell):
        done = hosts[0].ssh("echo answer")
        assert done.stdout.startswith("Welcome")
        assert done.stdout.endswith("no end of lineanswer\n")
        assert "quota" in done.stderr
    assert hosts[0].ssh("echo answer").stdout == "answer\n"


def test_a_hanging_shell(hosts: Cluster) -> None:
    with hosts[0].fault(login.hanging_shell):
        with pytest.raises(subprocess.TimeoutExpired):
            hosts[0].ssh("true", timeout_s=1)
        assert hosts[1].ssh("echo fine").stdout == "fine\n"
    assert hosts[0].ssh("echo answer").stdout == "answer\n"
    assert not [line for line in hosts[0].machine.processes().values() if "sleep" in line]


def test_detached_processes_survive_logout_unless_sessions_end_with_it(hosts: Cluster) -> None:
    host = hosts[0]
    detach = (
        "(setsid bash -c 'touch began; exec -a mine sleep 1000' < /dev/null > log 2>&1 &);"
        "until [ -e began ]; do :; done; exit 7"
    )

    def lives() -> bool:
        return any(line.startswith("mine ") for line in host.machine.processes().values())

    assert host.ssh(detach, check=False).returncode == 7
    eventually(lives, "it is detached")
    host.machine.kill("mine ")
    with host.fault(login.sessions_end_with_logout):
        host.run("rm", "began")
        assert host.ssh(detach, check=False).returncode == 7
        eventually(lambda: not lives(), "it is killed at logout")
        assert host.ssh("echo out; echo err >&2").stdout == "out\n"
    host.run("rm", "began", "log")


def test_within_a_session_detached_processes_live_until_the_connection_ends(hosts: Cluster) -> None:
    host = hosts[0]
    start = "(setsid bash -c 'exec -a mine sleep 1000' < /dev/null > /dev/null 2>&1 &)"
    control = (
        "-o",
        "ControlMaster=auto",
        "-o",
        "ControlPath=/tmp/%C.agi",
        "-o",
        "ControlPersist=9",
    )

    def lives() -> bool:
        return any(line.startswith("mine ") for line in host.machine.processes().values())

    with host.fault(login.sessions_end_with_logout):
        host.ssh(*control, start)
        eventually(lives, "it is detached")
        assert host.ssh(*control, "echo again").stdout == "again\n"
        assert lives()
        host.ssh(*control, "-O", "exit")
        eventually(lambda: not lives(), "it is killed with the connection")


def test_a_frozen_host_takes_calls_and_does_not_answer(hosts: Cluster) -> None:
    with hosts[0].fault(login.frozen):
        assert "timed out" in refused(hosts[0], "-o", "ConnectTimeout=1")
    assert hosts[0].ssh("echo back").stdout == "back\n"


def test_one_login_with_a_password(hosts: Cluster, tmp_path: Path) -> None:
    ask = tmp_path / "ask"
    ask.write_text(f"#!/bin/sh\necho '{PASSWORD}'\n")
    ask.chmod(0o700)
    options = ("-o", "BatchMode=no", "-o", "PubkeyAuthentication=no", "-l", "worker")
    command = ["ssh", "-F", str(hosts.ssh_config), *options, "host1", "id -un; pwd"]
    asking = {**os.environ, "SSH_ASKPASS": str(ask), "SSH_ASKPASS_REQUIRE": "force"}
    done = subprocess.run(
        command, env=asking, capture_output=True, text=True, timeout=30, check=True
    )
    assert done.stdout.split() == ["worker", "/home/worker"]
    assert "Permission denied" in refused(hosts[0], "-l", "worker")
