"""How a runner ended: ``runner.exit.json``, which the supervisor writes before it lets go."""

from __future__ import annotations

import json
import os
import signal
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from agi_env.atomic_file import write_atomically
from agi_env.errors import StateUnreadableError

EXIT_FILE = "runner.exit.json"


@dataclass(frozen=True, slots=True)
class ExitRecord:
    """The end of one runner; its supervisor saw it.

    Attributes:
        epoch: Which start of the runner it was.
        code: Its exit code; none when a signal ended it.
        signal: The number of the signal that ended it; none when it exited.
        at: When, in unix seconds.
        left: Pids of descendants that could not be killed, such as ones waiting for a dead disk.
        oom: Whether the kernel killed something here meanwhile because memory ran out.
    """

    epoch: int
    code: int | None
    signal: int | None
    at: float
    left: tuple[int, ...] = ()
    oom: bool = False

    @classmethod
    def of(cls, epoch: int, status: int, left: tuple[int, ...], *, oom: bool = False) -> ExitRecord:
        """The record for what ``waitpid`` told, now."""
        code = os.waitstatus_to_exitcode(status)
        if code < 0:
            killed = oom and -code == signal.SIGKILL
            return cls(epoch, None, -code, time.time(), left, killed)
        return cls(epoch, code, None, time.time(), left)

    @classmethod
    def read(cls, run_dir: Path) -> ExitRecord | None:
        """The record of the last runner that ended under its supervisor's eyes.

        Raises:
            StateUnreadableError: The file is damaged.
        """
        path = run_dir / EXIT_FILE
        try:
            facts = json.loads(path.read_bytes())
            return cls(**{**facts, "left": tuple(facts["left"])})
        except FileNotFoundError:
            return None
        except (ValueError, TypeError, KeyError) as error:
            raise StateUnreadableError(f"it is damaged: {error}", where=str(path)) from error

    def to_dict(self) -> dict[str, Any]:
        """The record as a JSON object."""
        return asdict(self)

    def write(self, run_dir: Path) -> None:
        """Write it down, on the disk on return.

        Raises:
            DiskFullError, StateUnwritableError: It could not be written.
        """
        write_atomically(run_dir / EXIT_FILE, json.dumps(self.to_dict()).encode())
