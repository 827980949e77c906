"""An SSH server for tests that need hosts and no machines of their own.

It serves every address of the loopback at one port, takes one password and the keys in its home,
and runs commands of this machine. Executed as a program it is that server: it gets the home as its
argument, writes its port and the fingerprint of its host key, and ends when its input does.
"""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import asyncssh

PASSWORD = "correct horse"
STOP_S = 20.0


@dataclass(frozen=True)
class ToySsh:
    """The running server.

    Attributes:
        home: The home of its only login; ``.ssh/authorized_keys`` there lets keys in.
        port: Where it listens, on all of 127.0.0.0/8.
        fingerprint: Of its host key.
    """

    home: Path
    port: int
    fingerprint: str


@contextmanager
def toy_ssh(home: Path) -> Iterator[ToySsh]:
    """A server whose login has this home, for the time of a ``with``."""
    process = subprocess.Popen(
        [sys.executable, __file__, str(home)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    with process:
        try:
            assert process.stdout is not None
            port, fingerprint = process.stdout.readline().split()
            yield ToySsh(home, int(port), fingerprint)
        finally:
            process.kill()
            process.wait(STOP_S)


class _Server(asyncssh.SSHServer):
    def __init__(self, home: Path) -> None:
        self._keys = home / ".ssh" / "authorized_keys"

    def connection_made(self, conn: Any) -> None:
        self._connection = conn

    def begin_auth(self, username: str) -> bool:
        if self._keys.exists():
            self._connection.set_authorized_keys(str(self._keys))
        return True

    def password_auth_supported(self) -> bool:
        return True

    def validate_password(self, username: str, password: str) -> bool:
        return password == PASSWORD


async def carry_out(process: Any, home: Path) -> None:
    """Run one command as the login's shell would."""
    child = await asyncio.create_subprocess_exec(
        *("sh", "-c", process.command),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        cwd=home,
        env={"HOME": str(home), "PATH": os.environ["PATH"]},
        start_new_session=True,
    )
    await process.redirect(stdin=child.stdin, stdout=child.stdout, stderr=child.stderr)
    process.exit(await child.wait())


async def serve(home: Path) -> None:
    """Serve until the input ends."""
    key = asyncssh.generate_private_key("ssh-ed25519")
    server = await asyncssh.create_server(
        lambda: _Server(home),
        "0.0.0.0",
        0,
        server_host_keys=[key],
        process_factory=lambda process: carry_out(process, home),
        encoding=None,
    )
    sys.stdout.write(f"{server.get_port()} {key.get_fingerprint()}\n")
    sys.stdout.flush()
    await asyncio.to_thread(sys.stdin.read)


if __name__ == "__main__":
    asyncio.run(serve(Path(sys.argv[1])))
