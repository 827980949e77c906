"""A local socket behind which a daemon on another machine answers."""

from __future__ import annotations

import shutil
import socket
import tempfile
import threading
import time
import weakref
from pathlib import Path
from types import TracebackType
from typing import Self

from agi_cluster.client import ssh_command
from agi_cluster.client.ssh_address import SshAddress, checked_socket
from agi_cluster.client.ssh_process import SshProcess
from agi_env.errors import AgiError, DaemonError, TunnelError

OPEN_TIMEOUT = 30.0
"""Seconds until the daemon has to have answered through a new tunnel."""

_POLL = 0.02
_WORDS_S = 0.5


class SshTunnel:
    """Carries connections to a daemon's socket on the manager; safe to use from several threads.

    The socket lies in a private directory, so that only this user can use it. The ``ssh`` that
    carries it ends with `close`, and with this process however that ends.

    Args:
        address: The manager.
        timeout: Seconds that opening may take.
    """

    def __init__(self, address: SshAddress, *, timeout: float = OPEN_TIMEOUT) -> None:
        self.address = address
        self.was_open = False
        """It once led to a daemon: that it does not now may pass."""
        self._timeout = timeout
        self._lock = threading.Lock()
        self._directory = Path(tempfile.mkdtemp(prefix="agi-"))
        self._remove = weakref.finalize(self, shutil.rmtree, self._directory, ignore_errors=True)
        self._process: SshProcess | None = None
        self._remote = address.socket

    @property
    def socket(self) -> Path:
        """The local socket; the same each time the tunnel is opened."""
        return self._directory / "daemon.sock"

    @property
    def is_open(self) -> bool:
        """Whether ``ssh`` runs."""
        return self._process is not None and self._process.alive

    def open(self) -> None:
        """Return when the daemon answers through the tunnel; at once while it is open.

        Raises:
            TunnelError: ``ssh`` failed, or nobody answered in time; with what it said.
            DaemonError: No daemon serves the socket there.
            AddressInvalidError: ``ssh`` cannot forward the path of the socket.
        """
        with self._lock:
            if self.is_open:
                return
            self._end()
            deadline = time.monotonic() + self._timeout
            try:
                self._start(deadline)
                self._greet(deadline)
            except BaseException:
                self._end()
                raise
            self.was_open = True

    def close(self) -> None:
        """End ``ssh``; it may be opened again."""
        with self._lock:
            self._end()
            self.socket.unlink(missing_ok=True)

    def __enter__(self) -> Self:
        self.open()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def _start(self, deadline: float) -> None:
        self._remote = self._remote or self._asked(deadline)
        self.socket.unlink(missing_ok=True)
        command = ssh_command.forward(self.address, self.socket, self._remote)
        self._process = self._run(command)
        while not self.socket.is_socket():
            if self._process.wait(_POLL):
                raise self._failed(self._process)
            if time.monotonic() > deadline:
                raise self._too_late()

    def _asked(self, deadline: float) -> str:
        """The path of the daemon's socket, as the manager says."""
        process = self._run(ssh_command.ask_for_socket(self.address))
        try:
            if not process.wait(max(deadline - time.monotonic(), 0)):
                raise self._too_late()
            path = ssh_command.told_socket(process.output())
            if not path:
                raise self._failed(process)
            return checked_socket(path, str(self.address))
        finally:
            process.end()

    def _greet(self, deadline: float) -> None:
        """See that a server is there: it speaks first, and where none is the connection ends."""
        with socket.socket(socket.AF_UNIX) as probe:
            probe.settimeout(max(deadline - time.monotonic(), 0.1))
            try:
                probe.connect(str(self.socket))
                answer = probe.recv(1)
            except TimeoutError as error:
                raise self._too_late() from error
            except OSError:
                answer = b""
        if not answer:
            raise self._nobody()

    def _run(self, command: list[str]) -> SshProcess:
        if shutil.which(command[0]) is None:
            raise TunnelError(
                "this machine has no ssh", where=str(self.address), remedy="Install OpenSSH"
            )
        return SshProcess(command)

    def _end(self) -> None:
        process, self._process = self._process, None
        if process is not None:
            process.end()

    def _failed(self, process: SshProcess) -> AgiError:
        said = process.last_words().removeprefix("ssh: ") or "it ended without a word"
        return TunnelError(
            f"ssh: {said}",
            where=str(self.address),
            remedy=f"See that `ssh -o BatchMode=yes {self.address.login} true` works",
        )

    def _too_late(self) -> AgiError:
        return TunnelError(f"no answer within {self._timeout:g} s", where=str(self.address))

    def _nobody(self) -> AgiError:
        # It ends the connection before it says why.
        said = self._process.words_within(_WORDS_S) if self._process is not None else ""
        return DaemonError(
            f"no daemon answers at {self._remote} there" + (f" (ssh: {said})" if said else ""),
            where=str(self.address),
            remedy=f"Start it: `ssh {self.address.login} agi daemon start`",
        )
