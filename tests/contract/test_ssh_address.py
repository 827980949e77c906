"""``AGI_ADDRESS=ssh://user@manager`` through the system's ssh, to a real sshd on the loopback."""

from __future__ import annotations

import getpass
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from agi_cluster.client import Address, AsyncClient, Client, Deadlines
from agi_cluster.client.ssh_address import SshAddress
from agi_cluster.client.ssh_tunnel import SshTunnel
from agi_cluster.model.requests import StartRun
from agi_cluster.model.run import RunState
from agi_cluster.testing import RunningDaemon
from agi_env.errors import AddressInvalidError, DaemonError, TunnelError
from hosts.programs import eventually
from hosts.sshd import SSHD, make_key

DEADLINE_S = 30.0

SSHD_CONFIG = """\
Port {port}
ListenAddress 127.0.0.1
HostKey {folder}/host_key
AuthorizedKeysFile {folder}/authorized_keys
PidFile none
StrictModes no
UsePAM no
PasswordAuthentication no
KbdInteractiveAuthentication no
PermitRootLogin prohibit-password
SetEnv AGI_STATE_DIR={state}
Match User *
    Include {folder}/more
"""
SSH_CONFIG = """\
Host manager
    HostName 127.0.0.1
    Port {port}
Host *
    User {user}
    IdentityFile {folder}/key
    IdentitiesOnly yes
    UserKnownHostsFile {folder}/known_hosts
    GlobalKnownHostsFile none
    HostKeyAlias agi-test
    StrictHostKeyChecking yes
"""


class Sshd:
    """An sshd of our own, and the configuration with which ssh knows it."""

    def __init__(self, folder: Path, state: Path) -> None:
        self.folder = folder
        self.port = _free_port()
        self.config = folder / "ssh_config"
        self._process: subprocess.Popen[bytes] | None = None
        facts = {"folder": folder, "port": self.port, "state": state, "user": getpass.getuser()}
        for name in ("host_key", "key"):
            make_key(folder / name)
        (folder / "sshd_config").write_text(SSHD_CONFIG.format(**facts))
        self.config.write_text(SSH_CONFIG.format(**facts))
        (folder / "authorized_keys").write_bytes((folder / "key.pub").read_bytes())
        self.know((folder / "host_key.pub").read_text())
        self.allow("")

    def know(self, key: str) -> None:
        """Have the caller know the server by this key."""
        (self.folder / "known_hosts").write_text(f"agi-test {key}\n" if key else "")

    def allow(self, more: str) -> None:
        """Have the server's configuration say more."""
        (self.folder / "more").write_text(f"{more}\n")
        if self._process is not None:
            self.stop()
            self.start()

    def start(self) -> None:
        """Start it; it serves when this returns."""
        assert SSHD is not None
        with (self.folder / "log").open("ab") as log:
            self._process = subprocess.Popen(
                [SSHD, "-D", "-e", "-f", self.folder / "sshd_config"],
                stdin=subprocess.DEVNULL,
                stderr=log,
                start_new_session=True,
            )
        self._await()

    def stop(self) -> None:
        """End it; logins that are open go on."""
        process, self._process = self._process, None
        if process is not None:
            process.terminate()
            process.wait(DEADLINE_S)

    def _await(self) -> None:
        def answers() -> bool:
            with socket.socket() as probe:
                return not probe.connect_ex(("127.0.0.1", self.port))

        eventually(answers, "the server serves")


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


@contextmanager
def allowing(sshd: Sshd, more: str) -> Iterator[None]:
    """The server says more in its configuration for as long as this lasts."""
    sshd.allow(more)
    try:
        yield
    finally:
        sshd.allow("")


def tunnels_of(sshd: Sshd) -> set[int]:
    """The living ssh processes that use this configuration."""
    found = set()
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                words = (entry / "cmdline").read_bytes().split(b"\0")
            except OSError:
                continue
            if words[0] == b"ssh" and str(sshd.config).encode() in words:
                found.add(int(entry.name))
    return found


@pytest.fixture(scope="module")
def server(daemon: RunningDaemon, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sshd]:
    if SSHD is None:
        pytest.skip("sshd is not installed: apt-get install openssh-server")
    if os.geteuid() == 0:
        # The package's service makes it, and there is none where nothing manages services.
        Path("/run/sshd").mkdir(mode=0o755, exist_ok=True)
    sshd = Sshd(tmp_path_factory.mktemp("sshd"), daemon.state)
    sshd.start()
    yield sshd
    sshd.stop()


@pytest.fixture
def sshd(server: Sshd, monkeypatch: pytest.MonkeyPatch) -> Iterator[Sshd]:
    """The server, known and allowing what it allows by default; no tunnel may be left."""
    monkeypatch.setenv("AGI_SSH_CONFIG", str(server.config))
    yield server
    server.know((server.folder / "host_key.pub").read_text())
    eventually(lambda: not tunnels_of(server), "no tunnel is left")


def refusal(address: str) -> DaemonError:
    with pytest.raises(DaemonError) as caught, Client(address, deadlines=Deadlines(answer=0)):
        pass
    assert len(str(caught.value).splitlines()) == 1
    assert str(caught.value).startswith(address)
    return caught.value


def test_a_run_of_a_registered_app_through_ssh(sshd: Sshd, world: Any) -> None:
    with Client("ssh://manager") as client:
        assert client.get_daemon().pid == world.daemon.pid
        run = client.start_run(StartRun(app="toy", args={"parts": 2}))
        *_, (last, _) = client.watch_run(run.id)
        assert last.state is RunState.SUCCEEDED
        assert "".join(text for _, text in client.read_run_log(run.id)) is not None


async def test_the_async_client_and_all_parts_of_an_address(sshd: Sshd, world: Any) -> None:
    socket_there = world.daemon.address.socket
    address = f"ssh://{getpass.getuser()}@127.0.0.1:{sshd.port}{socket_there}"
    client = AsyncClient(address)
    assert (await client.get_daemon()).pid == world.daemon.pid
    (pid,) = tunnels_of(sshd)
    words = Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
    assert {b"BatchMode=yes", b"ExitOnForwardFailure=yes", b"-N"} <= {*words}
    assert not [word for word in words if word.lower().startswith(b"stricthostkeychecking")]
    await client.close()
    assert not tunnels_of(sshd)
    assert (await client.get_daemon()).pid == world.daemon.pid
    await client.close()


def test_only_this_user_can_reach_the_local_end(sshd: Sshd) -> None:
    with SshTunnel(SshAddress.parse("ssh://manager")) as tunnel:
        assert tunnel.socket.stat().st_mode & 0o777 == 0o600
        assert tunnel.socket.parent.stat().st_mode & 0o777 == 0o700
    folder = tunnel.socket.parent
    assert not tunnel.socket.exists()
    del tunnel
    assert not folder.exists()


def test_a_lost_connection_is_made_anew(sshd: Sshd, world: Any) -> None:
    with Client("ssh://manager") as client:
        (first,) = tunnels_of(sshd)
        watch = client.watch_run(world.words["run"], after_sequence=1, verbose=3)
        next(watch)
        os.kill(first, signal.SIGKILL)
        assert client.get_daemon().pid == world.daemon.pid
        assert [update for update, _ in watch]
        (second,) = tunnels_of(sshd)
        assert second != first


def test_a_daemon_that_restarts_is_found_through_the_same_tunnel(sshd: Sshd, world: Any) -> None:
    with Client("ssh://manager") as client:
        before = tunnels_of(sshd)
        world.daemon.kill()
        world.daemon.start()
        assert client.get_daemon().pid == world.daemon.pid
        assert tunnels_of(sshd) == before


def test_ssh_ends_with_a_client_that_is_killed(
    sshd: Sshd, daemon: RunningDaemon, tmp_path_factory: pytest.TempPathFactory
) -> None:
    program = (
        "import time\nfrom agi_cluster.client import Client\nclient = Client()\n"
        "print(client.get_daemon().pid, flush=True)\ntime.sleep(60)"
    )
    # What is killed cannot remove its private directory.
    left = {"TMPDIR": str(tmp_path_factory.mktemp("left"))}
    asked = {"AGI_ADDRESS": "ssh://manager", "AGI_SSH_CONFIG": str(sshd.config)}
    env = {**os.environ, **asked, **left}
    command = [sys.executable, "-c", program]
    with subprocess.Popen(command, env=env, stdout=subprocess.PIPE, text=True) as caller:
        assert caller.stdout is not None
        assert int(caller.stdout.readline()) == daemon.pid
        assert tunnels_of(sshd)
        caller.kill()
    eventually(lambda: not tunnels_of(sshd), "ssh ends")


def test_the_command_line_names_apps_as_the_manager_does(
    sshd: Sshd, world: Any, tmp_path: Path, make_app: Any
) -> None:
    here = make_app("toy")
    env = {
        **os.environ,
        "AGI_ADDRESS": "ssh://manager",
        "AGI_SSH_CONFIG": str(sshd.config),
        "AGI_STATE_DIR": str(tmp_path / "none"),
        "APPS_PATH": str(here.parent),
    }
    command = [sys.executable, "-m", "agi_cli", "apps", "show", "toy", "-o", "json"]
    done = subprocess.run(
        command, env=env, capture_output=True, text=True, timeout=DEADLINE_S, check=False
    )
    assert done.returncode == 0, done.stderr
    assert world.words["app_path"] in done.stdout
    assert not (tmp_path / "none").exists()


@pytest.mark.parametrize("known", ["", "ssh-ed25519 " + "AAAAC3NzaC1lZDI1NTE5AAAAI" + "A" * 43])
def test_a_server_that_is_not_known_is_not_trusted(sshd: Sshd, known: str) -> None:
    sshd.know(known)
    error = refusal("ssh://manager")
    assert isinstance(error, TunnelError)
    assert "Host key verification failed" in str(error)
    assert "`ssh -o BatchMode=yes manager true`" in error.remedy


def test_a_user_who_may_not_log_in_is_told_what_ssh_said(sshd: Sshd) -> None:
    assert "Permission denied (publickey)" in str(refusal("ssh://no-such-user@manager"))


def test_nobody_listens_at_the_port(sshd: Sshd) -> None:
    error = refusal(f"ssh://127.0.0.1:{_free_port()}")
    assert isinstance(error, TunnelError)
    assert "Connection refused" in str(error)


def test_no_daemon_serves_there(sshd: Sshd, tmp_path: Path) -> None:
    error = refusal(f"ssh://manager{tmp_path}/none.sock")
    assert f"no daemon answers at {tmp_path}/none.sock there" in str(error)
    assert error.remedy == "Start it: `ssh manager agi daemon start`"


def test_a_server_that_forwards_no_sockets(sshd: Sshd) -> None:
    with allowing(sshd, "AllowStreamLocalForwarding no"):
        assert "ssh: channel" in str(refusal("ssh://manager"))


def test_noise_at_login_is_no_answer(sshd: Sshd, world: Any) -> None:
    noise = 'ForceCommand echo "agi-socket is not this"; eval "$SSH_ORIGINAL_COMMAND"; echo bye'
    with allowing(sshd, noise), Client("ssh://manager") as client:
        assert client.get_daemon().pid == world.daemon.pid


def test_a_server_that_never_answers_is_given_up(sshd: Sshd) -> None:
    with socket.create_server(("127.0.0.1", 0)) as mute:
        address = SshAddress.parse(f"ssh://127.0.0.1:{mute.getsockname()[1]}")
        with pytest.raises(TunnelError, match="no answer within"):
            SshTunnel(address, timeout=0.5).open()


@pytest.mark.parametrize(
    "text",
    [
        "ssh:",
        "ssh://",
        "ssh://:22",
        "ssh://-oProxyCommand=reboot",
        "ssh://-l@manager",
        "ssh://a;b@manager",
        "ssh://$(reboot)",
        "ssh://ann:secret@manager",
        "ssh://manager:port",
        "ssh://manager:99999",
        "ssh://manager/run/a:b.sock",
        "ssh://manager/run/%25h.sock",
        "ssh://manager/run/${HOME}/x.sock",
        "ssh://manager/run/daemon.sock?x=1",
        "ssh://manager/a%0Ab",
    ],
)
def test_what_is_no_address_is_refused(text: str) -> None:
    with pytest.raises(AddressInvalidError):
        Address.parse(text)


@pytest.mark.parametrize(
    ("text", "login"),
    [
        ("ssh://manager", "manager"),
        ("ssh://ann@My.Manager:2222", "-p 2222 ann@My.Manager"),
        ("ssh://[::1]/run/a b.sock", "::1"),
    ],
)
def test_an_address_reads_as_it_is_written(text: str, login: str) -> None:
    address = Address.parse(text, {"AGI_SSH_CONFIG": "/etc/mine"})
    assert isinstance(address, SshAddress)
    assert (address.login, address.config) == (login, "/etc/mine")
    assert Address.parse(str(address)) == address
