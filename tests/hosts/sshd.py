"""OpenSSH as the tests use it: where its server is, keys, and the server of one test host."""

from __future__ import annotations

import base64
import hashlib
import os
import signal
import socket
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from hosts import programs
from hosts.machine import Machine
from hosts.programs import DEADLINE_S, eventually

SSHD = programs.which("sshd")
"""The program; none where it is not installed."""
COMMAND = ("/usr/sbin/sshd", "-E", "/var/log/sshd.log")
"""How a host starts its own."""
PORT = 22
CONFIG = """\
Include /etc/ssh/sshd_config.d/*.conf
Port 22
HostKey /etc/ssh/ssh_host_ed25519_key
AuthorizedKeysFile .ssh/authorized_keys
PidFile /run/sshd.pid
PermitRootLogin prohibit-password
PasswordAuthentication yes
KbdInteractiveAuthentication no
UsePAM no
UseDNS no
LogLevel VERBOSE
MaxStartups 1000
MaxSessions 1000
PrintMotd no
Subsystem sftp internal-sftp
"""


def make_key(path: Path) -> Path:
    """Make a private key without a passphrase, and its public half beside it."""
    programs.run("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", path.name, "-f", str(path))
    return path


def public(key: Path) -> str:
    """The public half of a key, as OpenSSH writes it: algorithm and base64."""
    return " ".join(key.with_name(f"{key.name}.pub").read_text().split()[:2])


def fingerprint(public_key: str) -> str:
    """The fingerprint of a public key, as ``ssh-keygen -l`` prints it."""
    digest = hashlib.sha256(base64.b64decode(public_key.split()[1])).digest()
    return "SHA256:" + base64.b64encode(digest).decode().rstrip("=")


def authorize(home: Path, key: str) -> None:
    """Allow who has this key to log in; ``home`` belongs to who may."""
    folder, owner = home / ".ssh", home.stat()
    folder.mkdir(mode=0o700, exist_ok=True)
    file = folder / "authorized_keys"
    with file.open("a") as lines:
        lines.write(f"{key}\n")
    file.chmod(0o600)
    for path in (folder, file):
        os.chown(path, owner.st_uid, owner.st_gid)


class Sshd:
    """The SSH server of one host."""

    def __init__(self, machine: Machine, disk: Path, address: str) -> None:
        self.machine = machine
        self.disk = disk
        self.address = address
        self.key = disk / "etc/ssh/ssh_host_ed25519_key"
        self.log = disk / "var/log/sshd.log"

    def install(self) -> None:
        """Configure it, with a host key of its own; before the host is on for the first time."""
        (self.disk / "etc/ssh/sshd_config").write_text(CONFIG)
        (self.disk / "etc/ssh/sshd_config.d").mkdir()
        make_key(self.key)

    def configure(self, name: str, text: str) -> None:
        """Have its configuration say more, or no longer where the text is empty."""
        file = self.disk / "etc/ssh/sshd_config.d" / f"{name}.conf"
        if text:
            file.write_text(text)
        else:
            file.unlink(missing_ok=True)
        self.restart()

    def start(self) -> None:
        """Start it; it serves when this returns."""
        self.machine.run(*COMMAND)
        self.await_answer()

    def stop(self) -> None:
        """End the listener; connections that are open go on."""
        self._end(lambda line: "[listener]" in line)

    def cut(self) -> None:
        """End the connections that are open; what was started over them goes on."""
        self._end(lambda line: "[listener]" not in line)

    def restart(self) -> None:
        """Have it read its configuration and its key anew; nothing while the host is off."""
        if self.machine.on:
            self.stop()
            self.start()

    def await_answer(self) -> None:
        """Return once it answers.

        Raises:
            TimeoutError: It does not within the deadline.
        """
        eventually(self.answers, f"an SSH server answers at {self.address}", DEADLINE_S)

    def answers(self) -> bool:
        """Whether it says what it is to a caller."""
        try:
            with socket.create_connection((self.address, PORT), timeout=1) as caller:
                return caller.recv(4) == b"SSH-"
        except OSError:
            return False

    def _end(self, chosen: Callable[[str], bool]) -> None:
        """Kill processes of OpenSSH, chosen by what they call themselves."""
        names = ("sshd: ", "sshd-session: ")
        lines = self.machine.processes().items()
        pids = {pid for pid, line in lines if line.startswith(names) and chosen(line)}
        for pid in pids:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        eventually(lambda: not pids & self.machine.processes().keys(), "the SSH server ends")
