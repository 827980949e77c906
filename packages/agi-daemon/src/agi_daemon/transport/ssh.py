"""A host that is reached over SSH, behind the protocol that serves every host."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import PurePosixPath
from typing import TYPE_CHECKING

from agi_daemon.transport.host_key import HostKey
from agi_daemon.transport.host_transport import (
    DEFAULT_OUTPUT_BYTES,
    Channel,
    Completed,
    OnLine,
    Stdin,
)
from agi_daemon.transport.login import Login
from agi_daemon.transport.ssh_command import SshCommand
from agi_daemon.transport.ssh_files import read_file, write_files
from agi_daemon.transport.ssh_library import load_asyncssh
from agi_daemon.transport.ssh_settings import SshSettings

if TYPE_CHECKING:
    from agi_daemon.transport.ssh_pool import SshPool


class SshTransport:
    """Commands and files of one host, over connections that are made when first needed.

    Nothing of asyncssh is loaded before: a daemon that only knows this machine pays nothing.

    A command over a connection that stands takes two round trips, as SSH has it: one to open a
    session, one to start the command in it. Unlike on this machine, what a command that ended
    leaves behind in its process group is not looked for.

    Args:
        login: How the host is reached.
        pinned: The only host key that is ever accepted.
        root: The directory there that is ours.
        python: The host's Python.
        uv: The host's uv; empty for the one on the login's PATH.
        ssh: Deadlines, and where the user's and the daemon's files are.
    """

    def __init__(
        self,
        login: Login,
        pinned: HostKey,
        *,
        root: PurePosixPath,
        python: str = "python3",
        uv: str = "",
        ssh: SshSettings,
    ) -> None:
        self._login = login
        self._pinned = pinned
        self._root = root
        self._python = python
        self._uv = uv
        self._ssh = ssh
        self._pool: SshPool | None = None

    @property
    def host(self) -> str:
        """The name or address of the host, as in a worker map."""
        return self._login.address

    @property
    def root(self) -> PurePosixPath:
        """The directory there that is ours."""
        return self._root

    @property
    def python(self) -> str:
        """The host's own Python interpreter."""
        return self._python

    @property
    def uv(self) -> str:
        """The host's uv; empty for the one on the login's PATH."""
        return self._uv

    @property
    def noise(self) -> bytes:
        """What the login shell printed before the last command, the first 4 KiB of it."""
        return self._pool.noise if self._pool else b""

    async def run(
        self,
        argv: Sequence[str],
        *,
        stdin: Stdin = b"",
        deadline_s: float,
        idle_s: float | None = None,
        env: Mapping[str, str] | None = None,
        max_output_bytes: int = DEFAULT_OUTPUT_BYTES,
        on_line: OnLine | None = None,
    ) -> Completed:
        """Run a command to its end; see ``HostTransport.run``."""
        from agi_daemon.transport.ssh_run import SshRun  # noqa: PLC0415 - loads asyncssh

        pool = await self._connections()
        order = SshRun(
            host=self.host,
            argv=argv,
            stdin=stdin,
            deadline_s=deadline_s,
            idle_s=idle_s,
            env=env,
            max_output_bytes=max_output_bytes,
            on_line=on_line,
        )
        return await order.over(pool)

    async def open_channel(
        self, argv: Sequence[str], *, env: Mapping[str, str] | None = None
    ) -> Channel:
        """Start a command and talk to it; see ``HostTransport.open_channel``."""
        from agi_daemon.transport.ssh_channel import SshChannel  # noqa: PLC0415 - loads asyncssh

        pool = await self._connections()
        command = SshCommand.of(argv, env)
        return SshChannel(pool, await pool.start(command), command, argv[0])

    async def read_file(
        self, path: PurePosixPath, *, deadline_s: float, max_bytes: int = DEFAULT_OUTPUT_BYTES
    ) -> bytes:
        """Read a small file; see ``HostTransport.read_file``."""
        return await read_file(self, path, deadline_s=deadline_s, max_bytes=max_bytes)

    async def write_files(
        self, directory: PurePosixPath, files: Mapping[str, bytes], *, deadline_s: float
    ) -> None:
        """Write small files atomically; see ``HostTransport.write_files``."""
        await write_files(self, directory, files, deadline_s=deadline_s)

    async def aclose(self) -> None:
        """Close every connection to the host."""
        if self._pool:
            await self._pool.aclose()

    async def _connections(self) -> SshPool:
        if self._pool is None:
            await load_asyncssh()
            from agi_daemon.transport.ssh_dial import Dialling  # noqa: PLC0415 - loads asyncssh
            from agi_daemon.transport.ssh_pool import SshPool  # noqa: PLC0415 - loads asyncssh

            dialling = Dialling(self._login, self._ssh)
            pool = SshPool(self.host, self._ssh, lambda: dialling.log_in(self._pinned))
            self._pool = self._pool or pool
        return self._pool
