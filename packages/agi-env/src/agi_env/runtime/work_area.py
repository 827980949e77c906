"""The work area of a run: where attempts are made, beside the place where the run is published.

It is ``.agi-<run_id>`` in ``data_out``, so on the same file system. The directory of an attempt
carries the epoch of the runner that ordered it: what an earlier runner's leftovers write can never
be taken for a later one's result.
"""

from __future__ import annotations

import shutil
from pathlib import Path

from agi_env.atomic_file import disk_errors, write_atomically
from agi_env.errors import ConflictError

_EPOCH_FILE = "epoch"


class WorkArea:
    """The work area of one run.

    Attributes:
        root: The directory itself.
        destination: Where the run is published.
    """

    def __init__(self, data_out: Path, run_id: str) -> None:
        self.root = data_out / f".agi-{run_id}"
        self.destination = data_out / run_id

    def claim(self, epoch: int) -> None:
        """Make the area, and make it this epoch's.

        Raises:
            ConflictError: It is a later epoch's.
            DiskFullError, StateUnwritableError: It cannot be made.
        """
        with disk_errors(self.root):
            self.root.mkdir(mode=0o755, parents=True, exist_ok=True)
        self.check(epoch)
        write_atomically(self.root / _EPOCH_FILE, b"%d\n" % epoch)

    def check(self, epoch: int) -> None:
        """See that no later runner has claimed the area.

        Raises:
            ConflictError: One has.
        """
        path = self.root / _EPOCH_FILE
        holder = int(path.read_bytes()) if path.exists() else 0
        if holder > epoch:
            raise ConflictError(f"epoch {holder} follows epoch {epoch}", where=str(self.root))

    def attempt(self, place: int, epoch: int, attempt: int) -> Path:
        """The directory of an attempt at the partition at this place of the plan."""
        return self.root / "attempts" / f"{place:06d}" / f"{epoch}-{attempt}"

    def reduction(self, epoch: int, attempt: int) -> Path:
        """The directory of an attempt at reducing the results."""
        return self.root / "attempts" / "reduce" / f"{epoch}-{attempt}"

    def staging(self, epoch: int) -> Path:
        """Where a runner puts together what it is going to publish."""
        return self.root / f"staging-{epoch}"

    def remove(self) -> None:
        """Remove the area and everything in it; one that is not there is fine.

        Raises:
            OSError: Something in it cannot be removed.
        """
        if self.root.exists():
            shutil.rmtree(self.root)
