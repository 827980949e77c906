"""Test hosts are hosts of their own: what they have, what they see, and what they do not."""

from __future__ import annotations

import os
import signal
import subprocess
from pathlib import Path

import pytest

from hosts import Cluster, Host
from hosts.programs import ProgramError

MACHINE = Path("/proc/sys/kernel/random/boot_id")


def said(host: Host, command: str) -> str:
    """What a command prints that is run through ssh."""
    return host.ssh(command).stdout.strip()


def test_each_has_a_name_and_a_boot_id_of_its_own(hosts: Cluster) -> None:
    assert [said(host, "hostname") for host in hosts] == [host.name for host in hosts]
    boots = {said(host, f"cat {MACHINE}") for host in hosts}
    assert len(boots) == len(hosts)
    assert MACHINE.read_text().strip() not in boots


def test_ssh_knows_each_by_its_own_key_by_both_addresses(hosts: Cluster) -> None:
    assert len({host.host_key for host in hosts}) == len(hosts)
    for name in ("host1", "host1.6"):
        command = ["ssh", "-F", str(hosts.ssh_config), name, "echo $SSH_CONNECTION"]
        done = subprocess.run(command, capture_output=True, text=True, timeout=30, check=True)
        assert done.stdout.split()[2] == (hosts[0].address6 if "." in name else hosts[0].address)


def test_the_environment_is_a_plain_one(hosts: Cluster) -> None:
    names = {line.partition("=")[0] for line in said(hosts[0], "env").splitlines()}
    assert not [name for name in names if name.startswith(("PIP", "UV", "SSL", "PYTHON", "AGI"))]
    assert said(hosts[0], "cd ~ && pwd; command -v uv python3").split() == [
        "/root",
        "/usr/local/bin/uv",
        "/usr/bin/python3",
    ]


def test_nothing_of_this_machine_is_seen_but_its_programs(hosts: Cluster, tmp_path: Path) -> None:
    (tmp_path / "secret").touch()
    hidden = [tmp_path / "secret", Path(__file__), Path.cwd() / "pyproject.toml"]
    hidden += [Path("/etc/pip.conf"), hosts[1].disk]
    done = hosts[0].ssh("ls", "-d", *map(str, hidden), check=False)
    assert done.stdout == ""
    assert len(done.stderr.splitlines()) == len(hidden)


def test_the_share_is_the_same_directory_everywhere(hosts: Cluster) -> None:
    (hosts.share / "sentinel").write_text("written here")
    try:
        assert {said(host, f"cat {host.share}/sentinel") for host in hosts} == {"written here"}
        said(hosts[1], f"echo there > {hosts.share}/sentinel")
        assert (hosts.share / "sentinel").read_text() == "there\n"
    finally:
        (hosts.share / "sentinel").unlink()


def test_hosts_reach_each_other_and_the_manager_and_nothing_else(hosts: Cluster) -> None:
    assert said(hosts[0], "ip route").startswith("10.213.")
    assert len(said(hosts[0], "ip route").splitlines()) == 1
    reach = "timeout 5 bash -c 'exec 3<>/dev/tcp/{}/22 && read -u 3 line && echo $line'"
    assert said(hosts[0], reach.format("host2")).startswith("SSH-")
    assert said(hosts[0], reach.format(hosts[1].address6)).startswith("SSH-")
    outside = hosts[0].ssh(reach.format("192.0.2.1"), check=False)
    assert "Network is unreachable" in outside.stderr


def test_a_pid_of_a_host_is_nobody_here(hosts: Cluster) -> None:
    """The same number is somebody else's on this machine, so that a kill by pid cannot hit."""
    sleeper = int(said(hosts[0], "setsid sleep 1000 >/dev/null 2>&1 & echo $!"))
    here = {pid: line for pid, line in hosts[0].machine.processes().items() if "sleep" in line}
    assert sleeper not in here
    hosts[0].run("kill", str(sleeper))
    assert len(here) == 1


def test_orphans_are_reaped(hosts: Cluster) -> None:
    said(hosts[0], "for i in 1 2 3; do (setsid true &) ; done; sleep 0.1")
    states = said(hosts[0], "cat /proc/[0-9]*/stat").splitlines()
    assert not [line for line in states if line.split()[2] == "Z"]


def test_powered_off_and_on_it_has_its_disk_and_another_boot(hosts: Cluster) -> None:
    host = hosts[1]
    said(host, "touch ~/kept /tmp/lost /run/lost /var/tmp/kept")
    before, key = said(host, f"cat {MACHINE}"), host.host_key
    assert before
    host.power_off()
    with pytest.raises(ProgramError, match=r"No route to host|timed out|refused"):
        host.ssh("-o", "ConnectTimeout=1", "true")
    host.power_on()
    assert said(host, f"cat {MACHINE}") != before
    assert said(host, "ls -d ~/* /tmp/* /run/lost /var/tmp/kept 2>/dev/null; true").split() == [
        "/root/kept",
        "/var/tmp/kept",
    ]
    assert host.host_key == key
    host.wipe()
    assert said(host, "ls ~") == ""


def test_a_killed_pid_1_takes_everything_with_it(hosts: Cluster) -> None:
    host = hosts[2]
    said(host, "setsid sleep 1000 >/dev/null 2>&1 &")
    pids = host.machine.processes()
    os.kill(host.machine.pid, signal.SIGKILL)
    host.power_off()
    assert not [pid for pid in pids if Path(f"/proc/{pid}").exists()]
    hosts.heal()
    assert said(host, "echo back") == "back"
