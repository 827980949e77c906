"""Real SSH servers on the loopback, a proxy that can fall silent, and the transport to them."""

from __future__ import annotations

import asyncio
import getpass
import os
import shutil
import socket
import subprocess
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from typing import Any

import pytest
from attrs import evolve

from agi_daemon.transport.host_key import HostKey
from agi_daemon.transport.login import Login
from agi_daemon.transport.ssh import SshTransport
from agi_daemon.transport.ssh_settings import SshSettings

DEADLINE_S = 30.0
SSHD = shutil.which("sshd", path=f"{os.environ.get('PATH', '')}:/usr/sbin:/usr/local/sbin")

CONFIG = """\
Port {port}
ListenAddress 127.0.0.1
HostKey {host_key}
AuthorizedKeysFile {folder}/authorized_keys
PidFile none
StrictModes no
UsePAM no
PasswordAuthentication no
KbdInteractiveAuthentication no
PermitRootLogin prohibit-password
SetEnv HOME={home}
{more}
"""


def run(*command: str | Path) -> None:
    subprocess.run(command, check=True, timeout=DEADLINE_S, capture_output=True)


def make_key(path: Path, *more: str) -> Path:
    run("ssh-keygen", "-q", "-t", "ed25519", "-N", "", *more, "-f", path)
    return path


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Sshd:
    """An SSH server of our own, which lets this user in with one key."""

    def __init__(
        self, folder: Path, keys: Path, more: str = "", host_key: str = "host_key"
    ) -> None:
        folder.mkdir(exist_ok=True)
        self.folder, self.keys, self.port = folder, keys, free_port()
        self.home = folder / "home"
        self.home.mkdir(exist_ok=True)
        self.key = keys / "key"
        self._command = [str(SSHD), "-D", "-e", "-f", str(folder / "sshd_config")]
        self._process: subprocess.Popen[bytes] | None = None
        (folder / "authorized_keys").write_text((keys / "key.pub").read_text())
        self.configure(more, host_key)

    def configure(self, more: str = "", host_key: str = "host_key") -> None:
        facts = {"port": self.port, "folder": self.folder, "home": self.home, "more": more}
        self.host_key = HostKey.from_line((self.keys / f"{host_key}.pub").read_text())
        text = CONFIG.format(host_key=self.keys / host_key, **facts)
        (self.folder / "sshd_config").write_text(text)

    @property
    def login(self) -> Login:
        return Login(address="127.0.0.1", port=self.port, identity_file=str(self.key))

    @property
    def log(self) -> str:
        return (self.folder / "log").read_text()

    def __enter__(self) -> Sshd:
        with (self.folder / "log").open("ab") as log:
            self._process = subprocess.Popen(
                self._command, stdin=subprocess.DEVNULL, stderr=log, start_new_session=True
            )
        deadline = time.monotonic() + DEADLINE_S
        while True:
            with socket.socket() as probe:
                if not probe.connect_ex(("127.0.0.1", self.port)):
                    return self
            assert time.monotonic() < deadline
            time.sleep(0.01)

    def __exit__(self, *_: object) -> None:
        assert self._process
        self._process.terminate()
        self._process.wait(DEADLINE_S)


class Proxy:
    """Passes bytes on to a port, until it falls silent."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._talk = asyncio.Event()
        self._talk.set()
        self._tasks: set[asyncio.Task[None]] = set()
        self.port = 0

    def fall_silent(self) -> None:
        """As a link does that is cut: nothing comes and nothing ends."""
        self._talk.clear()

    async def __aenter__(self) -> Proxy:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, *_: object) -> None:
        self._server.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _serve(self, reader: Any, writer: Any) -> None:
        there, back = await asyncio.open_connection("127.0.0.1", self._port)
        for source, sink in ((reader, back), (there, writer)):
            self._tasks.add(asyncio.create_task(self._pass_on(source, sink)))

    async def _pass_on(self, source: Any, sink: Any) -> None:
        try:
            while piece := await source.read(65536):
                await self._talk.wait()
                sink.write(piece)
                await sink.drain()
        except OSError:
            pass
        finally:
            sink.close()


@pytest.fixture(scope="session")
def keys(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One folder with all the keys: making them takes longer than a server's start."""
    folder = tmp_path_factory.mktemp("keys")
    for name in ("host_key", "other_host_key", "key", "other_key"):
        make_key(folder / name)
    return folder


@pytest.fixture(scope="session")
def new_server(
    keys: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Callable[..., Any]]:
    if SSHD is None:
        pytest.skip("sshd is not installed: apt-get install openssh-server")
    if os.geteuid() == 0:
        # The package's service makes it, and there is none where nothing manages services.
        Path("/run/sshd").mkdir(mode=0o755, exist_ok=True)

    @contextmanager
    def serve(more: str = "", host_key: str = "host_key") -> Iterator[Sshd]:
        with Sshd(tmp_path_factory.mktemp("sshd"), keys, more, host_key) as server:
            yield server

    yield serve


@pytest.fixture(scope="session")
def server(new_server: Callable[..., Any]) -> Iterator[Sshd]:
    """The one that most tests share."""
    with new_server() as serving:
        yield serving


@pytest.fixture
def settings(tmp_path: Path) -> SshSettings:
    """Without the user's own files."""
    return SshSettings(config=tmp_path / "config", known_hosts=tmp_path / "known_hosts")


@pytest.fixture
async def reach(
    settings: SshSettings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[Callable[..., SshTransport]]:
    """Makes transports, and closes them."""
    monkeypatch.delenv("SSH_AUTH_SOCK", raising=False)
    made: list[SshTransport] = []

    def make(server: Sshd, pinned: HostKey | None = None, **changes: Any) -> SshTransport:
        login = evolve(server.login, **changes.pop("login", {}))
        root = PurePosixPath(tmp_path / "root")
        ssh = evolve(settings, **changes)
        made.append(SshTransport(login, pinned or server.host_key, root=root, ssh=ssh))
        return made[-1]

    yield make
    for transport in made:
        await transport.aclose()


@pytest.fixture
def host(server: Sshd, reach: Callable[..., SshTransport]) -> SshTransport:
    """The shared server, reached."""
    return reach(server)


@pytest.fixture
async def proxy(server: Sshd) -> AsyncIterator[Proxy]:
    async with Proxy(server.port) as passing:
        yield passing


@pytest.fixture(scope="session")
def me() -> str:
    return getpass.getuser()


@pytest.fixture
def assert_gone() -> Callable[[int], None]:
    """A process ends: a kill is not instant, and its parent may be slow to reap it."""

    def check(pid: int) -> None:
        deadline = time.monotonic() + 10
        while time.monotonic() < deadline:
            try:
                state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
            except (FileNotFoundError, ProcessLookupError):
                return
            if state in "ZX":
                return
            os.sched_yield()
        pytest.fail(f"process {pid} is alive")

    return check
