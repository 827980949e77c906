"""Faults of the network and of connections do what they say, and are gone when undone."""

from __future__ import annotations

import socket
import time

import pytest

from hosts import Cluster, Host
from hosts.faults import connection, network
from hosts.host import Fault
from hosts.programs import ProgramError, eventually

SOON_S = 0.5
REACH = "timeout {} bash -c 'exec 3<>/dev/tcp/{}/22 && read -u 3 line && echo $line'"


def reaches(address: str) -> bool:
    """Whether a server answers this machine soon."""
    try:
        with socket.create_connection((address, 22), timeout=SOON_S) as caller:
            return caller.recv(4) == b"SSH-"
    except OSError:
        return False


def reaches_from(host: Host, address: str) -> bool:
    return "SSH-" in host.run("sh", "-c", REACH.format(SOON_S, address), check=False).stdout


@pytest.mark.parametrize("fault", [network.link_down, network.packets_dropped()])
def test_a_silent_host(hosts: Cluster, fault: Fault) -> None:
    with hosts[0].fault(fault):
        assert not reaches(hosts[0].address)
        assert not reaches(hosts[0].address6)
        assert reaches(hosts[1].address)
        assert reaches_from(hosts[0], "127.0.0.1")
    assert reaches(hosts[0].address)
    assert reaches(hosts[0].address6)


def test_one_port_is_unreachable_from_one_host(hosts: Cluster) -> None:
    addresses = (hosts[1].address, hosts[1].address6)
    with hosts[0].fault(network.unreachable(addresses, 22)):
        assert not any(reaches_from(hosts[0], address) for address in addresses)
        assert reaches_from(hosts[0], hosts[2].address)
        assert reaches_from(hosts[2], hosts[1].address)
    assert all(reaches_from(hosts[0], address) for address in addresses)


def test_a_slow_line(hosts: Cluster) -> None:
    def seconds() -> float:
        start = time.monotonic()
        assert len(hosts[0].ssh("head -c 200000 /dev/zero | tr '\\0' x").stdout) == 200000
        return time.monotonic() - start

    with hosts[0].fault(network.throttled("2mbit")):
        assert seconds() > 200000 * 8 / 2e6 * 0.8
    assert "tbf" not in hosts[0].run("tc", "qdisc").stdout


def test_a_long_line(hosts: Cluster) -> None:
    with hosts[0].fault(connection.delayed(0.05)):
        start = time.monotonic()
        with socket.create_connection((hosts[0].address, 22), timeout=5) as caller:
            assert caller.recv(4) == b"SSH-"
        assert time.monotonic() - start >= 0.05
        assert hosts[0].ssh("echo through").stdout == "through\n"


def test_a_connection_that_is_cut_after_so_many_bytes(hosts: Cluster) -> None:
    with hosts[0].fault(connection.cut_after(20000)):
        cut = hosts[0].ssh("head -c 100000 /dev/zero", check=False)
        assert cut.returncode == 255
        assert len(cut.stdout) < 20000
        assert len(hosts[0].ssh("head -c 100000 /dev/zero").stdout) == 100000


def test_a_connection_that_is_cut_between_a_start_and_its_answer(hosts: Cluster) -> None:
    start = (
        "trap '' PIPE; mkdir -p runs/r1; touch runs/r1/started; echo answer; touch runs/r1/went_on"
    )
    with hosts[0].fault(connection.cut_when("/root/runs/*/started")):
        cut = hosts[0].ssh(start, check=False)
        assert (cut.returncode, cut.stdout) == (255, "")
        went_on = hosts[0].disk / "root/runs/r1/went_on"
        eventually(went_on.exists, "the command goes on")
        assert hosts[0].ssh("echo whole").stdout == "whole\n"
    hosts[0].run("rm", "-r", "runs")


def test_faults_of_a_host_that_was_powered_off_meanwhile_are_undone(hosts: Cluster) -> None:
    host = hosts[3]
    for fault in (network.link_down, network.packets_dropped(), network.throttled()):
        host.fault(fault)
    host.power_off(silently=True)
    with pytest.raises(ProgramError):
        host.ssh("-o", "ConnectTimeout=1", "true")
    hosts.heal()
    assert host.ssh("echo back").stdout == "back\n"
    assert "fault" not in host.run("nft", "list", "ruleset").stdout


def test_what_a_test_breaks_is_mended_latest_first(hosts: Cluster) -> None:
    first = hosts[0].fault(network.link_down)
    hosts[0].fault(network.packets_dropped(outgoing=False))
    first.undo()
    first.undo()
    assert not reaches(hosts[0].address)
    hosts.heal()
    assert reaches(hosts[0].address)
