"""One daemon for a state directory: the lock file that a living daemon holds.

The kernel drops the lock with the process, however it ends, so a free lock means that no daemon
lives there. The file itself stays; what is written in it only explains who holds it.
"""

from __future__ import annotations

import fcntl
import json
import os
from pathlib import Path
from types import TracebackType
from typing import Self

from attrs import frozen

from agi_env.atomic_file import storage_error
from agi_env.errors import DaemonAlreadyRunningError

_MOST_BYTES = 4096


@frozen
class Holder:
    """Who holds the lock, as far as it has said so."""

    pid: int = 0
    address: str = ""

    @classmethod
    def from_text(cls, text: str) -> Holder:
        """Read what a holder wrote; one that has not finished writing is nobody known."""
        try:
            facts = json.loads(text)
            return cls(int(facts["pid"]), str(facts["address"]))
        except (ValueError, KeyError, TypeError):
            return cls()


class InstanceLock:
    """The lock of one state directory, held between ``with`` and its end.

    Args:
        path: The lock file; its directory has to exist.
        address: What the holder serves, for those who find the lock taken.
    """

    def __init__(self, path: Path, address: str) -> None:
        self._path = path
        self._address = address
        self._descriptor = -1

    def __enter__(self) -> Self:
        """Take the lock.

        Raises:
            DaemonAlreadyRunningError: Another process holds it; the error names its pid.
            StateUnwritableError: The file cannot be made.
            DiskFullError: There is no room for it.
        """
        try:
            self._take()
        except OSError as error:
            self._release()
            raise storage_error(error, self._path) from error
        except DaemonAlreadyRunningError:
            self._release()
            raise
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._release()

    def _take(self) -> None:
        self._descriptor = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(self._descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise self._taken() from None
        text = json.dumps({"pid": os.getpid(), "address": self._address})
        os.ftruncate(self._descriptor, 0)
        os.pwrite(self._descriptor, text.encode(), 0)

    def _taken(self) -> DaemonAlreadyRunningError:
        text = os.pread(self._descriptor, _MOST_BYTES, 0).decode(errors="replace")
        holder = Holder.from_text(text)
        name = f"process {holder.pid}" if holder.pid else "another process"
        return DaemonAlreadyRunningError(
            f"{name} is the daemon of this state directory",
            where=str(self._path.parent),
            metadata={"pid": str(holder.pid or ""), "address": holder.address},
        )

    def _release(self) -> None:
        if self._descriptor >= 0:
            # Closing alone leaves it held while a child is between its fork and its exec.
            fcntl.flock(self._descriptor, fcntl.LOCK_UN)
            os.close(self._descriptor)
            self._descriptor = -1
