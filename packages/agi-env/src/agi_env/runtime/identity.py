"""Who holds a run: ``runner.json``, which the supervisor writes about itself."""

from __future__ import annotations

import json
import os
from dataclasses import asdict, dataclass
from pathlib import Path

from agi_env.atomic_file import write_atomically
from agi_env.errors import InternalError, StateUnreadableError
from agi_env.runtime import process_tree

IDENTITY_FILE = "runner.json"


@dataclass(frozen=True, slots=True)
class Identity:
    """One process, told apart from all others of this machine.

    Attributes:
        boot_id: The boot that it belongs to.
        pid: Its number; killing the supervisor ends the runner too.
        start_time: When it started, in clock ticks since the boot.
        epoch: Which start of the runner it is.
    """

    boot_id: str
    pid: int
    start_time: int
    epoch: int

    @classmethod
    def own(cls, epoch: int) -> Identity:
        """The identity of this very process."""
        process = process_tree.find(os.getpid())
        if process is None:
            raise InternalError("this process is not in /proc")
        return cls(process_tree.boot_id(), process.pid, process.start_time, epoch)

    @classmethod
    def read(cls, run_dir: Path) -> Identity | None:
        """What is written about the last start in this directory; none before the first.

        Raises:
            StateUnreadableError: The file is damaged.
        """
        path = run_dir / IDENTITY_FILE
        try:
            return cls(**json.loads(path.read_bytes()))
        except FileNotFoundError:
            return None
        except (ValueError, TypeError) as error:
            raise StateUnreadableError(f"it is damaged: {error}", where=str(path)) from error

    def write(self, run_dir: Path) -> None:
        """Write it down, on the disk on return.

        Raises:
            DiskFullError, StateUnwritableError: It could not be written.
        """
        write_atomically(run_dir / IDENTITY_FILE, json.dumps(asdict(self)).encode())

    @property
    def is_living(self) -> bool:
        """Whether this process, and no later one with its number, runs now."""
        now = process_tree.find(self.pid)
        return (
            now is not None
            and not now.has_ended
            and now.start_time == self.start_time
            and process_tree.boot_id() == self.boot_id
        )
