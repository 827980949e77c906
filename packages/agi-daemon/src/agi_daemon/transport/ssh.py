"""A host that is reached over SSH, behind the protocol that serves every host."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import PurePosixPath

from agi_daemon.transport.host_key import HostKey
from agi_daemon.transport.host_transport import (
    DEFAULT_OUTPUT_BYTES,
    Channel,
    Completed,
    OnLine,
    Stdin,
)
from agi_daemon.transport.login import Login
from agi_daemon.transport.ssh_settings import SshSettings


class SshTransport:
    """Commands and files of one host, over connections that are made when first needed.

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
        """What the login shell printed before the last command, the first few KiB of it."""
        raise NotImplementedError

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
        raise NotImplementedError

    async def open_channel(
        self, argv: Sequence[str], *, env: Mapping[str, str] | None = None
    ) -> Channel:
        """Start a command and talk to it; see ``HostTransport.open_channel``."""
        raise NotImplementedError

    async def read_file(
        self, path: PurePosixPath, *, deadline_s: float, max_bytes: int = DEFAULT_OUTPUT_BYTES
    ) -> bytes:
        """Read a small file; see ``HostTransport.read_file``."""
        raise NotImplementedError

    async def write_files(
        self, directory: PurePosixPath, files: Mapping[str, bytes], *, deadline_s: float
    ) -> None:
        """Write small files atomically; see ``HostTransport.write_files``."""
        raise NotImplementedError

    async def aclose(self) -> None:
        """Close every connection to the host."""
        raise NotImplementedError
