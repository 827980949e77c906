"""Faults of a host's disk, share and programs do what they say, and are gone when undone."""

from __future__ import annotations

import subprocess
import time
from pathlib import Path

import pytest

from hosts import Cluster, Host, cluster
from hosts.faults import storage, tools
from hosts.host import Fault
from hosts.programs import ProgramError


def said(host: Host, command: str) -> str:
    return host.run("bash", "-c", command).stdout.strip()


def code(host: Host, command: str) -> int:
    return host.run("bash", "-c", command, check=False).returncode


def test_a_full_disk(hosts: Cluster) -> None:
    host = hosts[0]
    said(host, "mkdir -p state && echo kept > state/file")
    with host.fault(storage.disk_full("/root/state")):
        assert said(host, "cat state/file") == "kept"
        with pytest.raises(ProgramError, match="No space left on device"):
            said(host, "head -c 100000 /dev/zero > state/more")
        assert said(host, "echo fine > other && cat other") == "fine"
    said(host, "head -c 100000 /dev/zero > state/more; rm other")
    assert said(host, "ls state") == "file\nmore"
    host.run("rm", "-r", "state")


def test_a_home_on_a_disk_of_its_own_can_be_full_under_open_files(tmp_path: Path) -> None:
    share = tmp_path / "share"
    share.mkdir()
    with storage.small_disk(share, "1m"), cluster(1, share=share, home="2m") as made:
        host = made[0]
        with host.fault(storage.home_full), storage.filled(share):
            for place in (host.home, str(share)):
                with pytest.raises(ProgramError, match="No space left on device"):
                    said(host, f"head -c 100000 /dev/zero > {place}/more")
        host.power_off()
        host.power_on()
        assert said(host, "head -c 100000 /dev/zero > more; ls") == "more"
        assert (host.disk / "root/.ssh/authorized_keys").exists()


def test_a_home_on_the_disk_of_all_cannot_be_filled(hosts: Cluster) -> None:
    with pytest.raises(ValueError, match="no disk of its own"):
        hosts[0].fault(storage.home_full)


def test_a_read_only_share(hosts: Cluster) -> None:
    with hosts[0].fault(storage.share_read_only):
        with pytest.raises(ProgramError, match="Read-only file system"):
            host_writes(hosts[0], hosts)
        host_writes(hosts[1], hosts)
    host_writes(hosts[0], hosts)


def host_writes(host: Host, hosts: Cluster) -> None:
    """Write on the share from a host, and read it here."""
    mark = hosts.share / host.name
    said(host, f"echo mark > {mark}")
    assert mark.read_text() == "mark\n"
    mark.unlink()


@pytest.mark.parametrize("fault", [storage.share_is_another, storage.share_not_mounted])
def test_another_directory_in_the_share_s_place(hosts: Cluster, fault: Fault) -> None:
    with hosts[0].fault(fault):
        said(hosts[0], f"echo mark > {hosts.share}/mark && cat {hosts.share}/mark")
        assert not (hosts.share / "mark").exists()
        mounted = hosts[0].run("mountpoint", "-q", str(hosts.share), check=False).returncode == 0
        assert mounted == (fault is storage.share_is_another)
        host_writes(hosts[1], hosts)
    host_writes(hosts[0], hosts)


def test_a_stale_mount(hosts: Cluster) -> None:
    with hosts[0].fault(storage.share_stale):
        assert f"{hosts.share} fuse.sshfs" in said(hosts[0], "cat /proc/mounts")
        for command in (f"stat {hosts.share}", f"timeout -s KILL 0.1 ls {hosts.share}"):
            with pytest.raises(subprocess.TimeoutExpired):
                hosts[0].ssh(command, timeout_s=1)
        host_writes(hosts[1], hosts)
    host_writes(hosts[0], hosts)
    assert not [line for line in hosts[0].machine.processes().values() if "stat" in line]


def test_a_host_with_a_stale_mount_can_be_powered_off(hosts: Cluster) -> None:
    hosts[0].fault(storage.share_stale)
    with pytest.raises(subprocess.TimeoutExpired):
        hosts[0].ssh(f"stat {hosts.share}", timeout_s=1)
    hosts[0].power_off()
    hosts.heal()
    host_writes(hosts[0], hosts)


def test_no_uv(hosts: Cluster) -> None:
    with hosts[0].fault(tools.no_uv):
        assert said(hosts[0], "command -v uv || echo none") == "none"
        assert code(hosts[0], "uv --version") == 127
    assert said(hosts[0], "uv --version").startswith("uv ")


def test_no_python(hosts: Cluster) -> None:
    with hosts[0].fault(tools.no_python):
        for name in ("python3", "/usr/bin/python3", "/usr/bin/python3.11"):
            assert code(hosts[0], f"{name} -V") == 127
        assert code(hosts[0], "uv python find --offline") != 0
        assert said(hosts[0], "ls /usr/bin | wc -l") != "0"
    assert said(hosts[0], "python3 -V").startswith("Python 3")


def test_an_old_python(hosts: Cluster) -> None:
    asked = "'import sys, platform; print(sys.version_info[:2], platform.python_version())'"
    with hosts[0].fault(tools.old_python()):
        assert said(hosts[0], "python3 --version") == "Python 3.9.2"
        for python in ("python3", "/usr/bin/python3 -I", "python3.9"):
            assert said(hosts[0], f"{python} -c {asked}") == "(3, 9) 3.9.2"
        assert said(hosts[0], "uv python find 3.9") in ("/usr/bin/python3", "/usr/bin/python3.9")
        assert code(hosts[0], "uv python find --offline '>=3.11'") != 0
    assert "(3, 9)" not in said(hosts[0], f"python3 -c {asked}")


@pytest.mark.parametrize("offset", [3600, -90])
def test_a_wrong_clock(hosts: Cluster, offset: int) -> None:
    asked = ("date +%s", "/usr/bin/date +%s.%N", "python3 -I -c 'import time; print(time.time())'")

    def offsets() -> list[float]:
        return [float(said(hosts[0], command)) - time.time() for command in asked]

    with hosts[0].fault(tools.clock_wrong(offset)):
        assert all(abs(found - offset) < 20 for found in offsets()), offsets()
    assert all(abs(found) < 20 for found in offsets()), offsets()
