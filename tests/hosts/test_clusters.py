"""Clusters side by side, what a killed owner leaves, and machines that cannot have any."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from hosts import Cluster, cluster, programs
from hosts.cluster import sweep
from hosts.machine import leftovers
from hosts.programs import UnavailableError, eventually
from hosts.subnet import Subnet, claimed


@contextmanager
def owner() -> Iterator[tuple[subprocess.Popen[str], list[str]]]:
    """Another process that has a cluster of one host, and the lines that it printed."""
    env = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[1])}
    command = [sys.executable, "-m", "hosts", "1"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=env) as process:
        assert process.stdout is not None
        lines: list[str] = []
        while not (lines and lines[-1].startswith("Ctrl-C")):
            lines.append(process.stdout.readline())
            assert lines[-1], lines
        try:
            yield process, lines
        finally:
            process.kill()


def subnet_of(lines: list[str]) -> Subnet:
    (line,) = [line for line in lines if line.startswith("agi hosts add root@10.213.")]
    return Subnet(int(line.split("@10.213.")[1].split(".")[0]))


def assert_nothing_left(subnet: Subnet) -> None:
    """Nothing of a cluster is left; unless the number is somebody else's by now."""
    with claimed(subnet.number) as claim:
        if claim is not None:
            links = {path.name.partition("-")[0] for path in Path("/sys/class/net").iterdir()}
            assert subnet.bridge not in links
            assert not subnet.folder.exists()
            assert not hosts_of(subnet)


def hosts_of(subnet: Subnet) -> list[int]:
    """The processes that hold hosts of that cluster."""
    return leftovers(subnet.folder)


def test_the_command_tells_how_to_add_them_and_ends_them_at_ctrl_c() -> None:
    with owner() as (process, lines):
        assert any("--trust-fingerprint SHA256:" in line for line in lines)
        subnet = subnet_of(lines)
        assert subnet.folder.exists()
        process.send_signal(signal.SIGINT)
        assert process.wait(20) == 0
    assert_nothing_left(subnet)


@pytest.mark.parametrize("stuck", [False, True])
def test_a_start_clears_away_what_a_killed_owner_left(*, stuck: bool) -> None:
    with owner() as (process, lines):
        subnet = subnet_of(lines)
        pids = hosts_of(subnet)
        assert len(pids) == 2
        if stuck:
            for pid in pids:
                os.kill(pid, signal.SIGSTOP)
        process.kill()
        process.wait(20)
    if not stuck:
        eventually(lambda: not {*pids} & {*hosts_of(subnet)}, "hosts end with their owner")
    sweep()
    assert not {*pids} & {*hosts_of(subnet)}
    assert_nothing_left(subnet)


def test_clusters_side_by_side_do_not_meet(hosts: Cluster) -> None:
    with cluster(1) as others:
        assert others.subnet != hosts.subnet
        sweep()
        with claimed(others.subnet.number) as claim:
            assert claim is None
        call = f"timeout 5 bash -c '< /dev/tcp/{others[0].address}/22'"
        assert "unreachable" in hosts[0].run("bash", "-c", call, check=False).stderr
        assert hosts[0].ssh("echo here").stdout == "here\n"
        assert others[0].ssh("echo there").stdout == "there\n"
    assert_nothing_left(others.subnet)


def test_without_root_there_are_none_and_the_reason_is_told() -> None:
    programs.require()
    os.seteuid(65534)
    try:
        with pytest.raises(UnavailableError, match="needs root"):
            cluster(1).__enter__()
    finally:
        os.seteuid(0)
