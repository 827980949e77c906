"""Letting our key in after one password login: test hosts have an account with a password."""

from __future__ import annotations

import asyncio
import os
import stat
import subprocess
from collections.abc import Iterator
from pathlib import Path, PurePosixPath

import pytest
from attrs import evolve

from agi_daemon.log import open_log
from agi_daemon.transport.host_key import HostKey
from agi_daemon.transport.login import Login
from agi_daemon.transport.ssh import SshTransport
from agi_daemon.transport.ssh_authorize import authorize, own_key
from agi_daemon.transport.ssh_settings import SshSettings
from agi_env.errors import (
    HostKeyChangedError,
    HostLoginError,
    InvalidInputError,
    LoginShellHangsError,
)
from hosts import Cluster, Host
from hosts.disk import PASSWORD, WORKER_ID


@pytest.fixture
def host(hosts: Cluster, monkeypatch: pytest.MonkeyPatch) -> Iterator[Host]:
    """One whose homes are empty before and after."""
    monkeypatch.delenv("SSH_AUTH_SOCK", raising=False)
    yield hosts[0]
    hosts[0].wipe()


@pytest.fixture
def home(host: Host) -> Path:
    return host.disk / "home" / "worker"


@pytest.fixture
def worker(host: Host) -> Login:
    return Login(address=host.address, user="worker")


@pytest.fixture
def pinned(host: Host) -> HostKey:
    return HostKey.from_line(host.public_key)


def server_log(host: Host) -> str:
    return (host.disk / "var/log/sshd.log").read_text()


def test_our_own_key_is_made_once_and_is_private(tmp_path: Path) -> None:
    path = tmp_path / "ssh" / "id_ed25519"
    line = own_key(path)
    assert line == own_key(path)
    assert line.startswith("ssh-ed25519 AAAA") and line.endswith(" agi")
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    listed = subprocess.run(["ssh-keygen", "-y", "-f", path], capture_output=True, check=True)
    assert listed.stdout.decode().split()[:2] == line.split()[:2]


async def test_a_key_is_let_in_once(
    host: Host, home: Path, worker: Login, pinned: HostKey, settings: SshSettings, tmp_path: Path
) -> None:
    ours = tmp_path / "ssh" / "id_ed25519"
    line = own_key(ours)
    with open_log(tmp_path / "daemon.log", level="debug"):
        await authorize(worker, pinned, PASSWORD, line, settings)
        await authorize(worker, pinned, PASSWORD, line, settings)
    file = home / ".ssh" / "authorized_keys"
    assert file.read_text() == f"{line}\n"
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert stat.S_IMODE(file.parent.stat().st_mode) == 0o700
    assert file.stat().st_uid == WORKER_ID
    said = (tmp_path / "daemon.log").read_text()
    assert "ssh_key_authorized" in said
    assert PASSWORD not in said + server_log(host)

    transport = SshTransport(
        worker, pinned, root=PurePosixPath("~/.agi"), ssh=evolve(settings, own_key=ours)
    )
    assert (await transport.run(["id", "-un"], deadline_s=20)).stdout == b"worker\n"
    await transport.aclose()


async def test_keys_that_are_there_stay(
    home: Path, worker: Login, pinned: HostKey, settings: SshSettings, tmp_path: Path
) -> None:
    file = home / ".ssh" / "authorized_keys"
    file.parent.mkdir()
    file.write_text("ssh-ed25519 AAAAother somebody")
    for path in (file.parent, file):
        os.chown(path, WORKER_ID, WORKER_ID)
        path.chmod(0o777)
    line = own_key(tmp_path / "key")
    await authorize(worker, pinned, PASSWORD, line, settings)
    assert file.read_text() == f"ssh-ed25519 AAAAother somebody\n{line}\n"
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert stat.S_IMODE(file.parent.stat().st_mode) == 0o700


async def test_a_wrong_password(
    worker: Login, pinned: HostKey, settings: SshSettings, tmp_path: Path
) -> None:
    line = own_key(tmp_path / "key")
    with pytest.raises(HostLoginError, match="worker may not log in with this password") as caught:
        await authorize(worker, pinned, "wrong one", line, settings)
    assert "wrong one" not in str(caught.value) + repr(caught.value.metadata)
    with pytest.raises(InvalidInputError):
        await authorize(worker, pinned, "", line, settings)


async def test_a_password_goes_only_to_the_accepted_host(
    host: Host, worker: Login, settings: SshSettings, tmp_path: Path
) -> None:
    other = HostKey.from_line(own_key(tmp_path / "another"))
    before = server_log(host)
    with pytest.raises(HostKeyChangedError):
        await authorize(worker, other, PASSWORD, own_key(tmp_path / "key"), settings)
    assert "password" not in server_log(host).removeprefix(before)


async def test_a_hanging_login_shell_is_killed_where_the_server_sends_signals(
    host: Host, home: Path, worker: Login, pinned: HostKey, settings: SshSettings, tmp_path: Path
) -> None:
    """It does for whoever is not root; of the shell's process nobody has told us."""
    ours = tmp_path / "key"
    await authorize(worker, pinned, PASSWORD, own_key(ours), settings)
    (home / ".bashrc").write_text("trap '' TERM HUP; sleep 4321\n")
    ssh = evolve(settings, own_key=ours, shell_s=1.0)
    transport = SshTransport(worker, pinned, root=PurePosixPath("~/.agi"), ssh=ssh)
    with pytest.raises(LoginShellHangsError):
        await transport.run(["true"], deadline_s=20)
    await transport.aclose()
    async with asyncio.timeout(10):
        while "sleep 4321" in " ".join(host.machine.processes().values()):
            await asyncio.sleep(0.02)
