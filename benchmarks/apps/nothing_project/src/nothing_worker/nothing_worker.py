"""The worker side: it returns at once."""

from __future__ import annotations

from pathlib import Path

from agi_env import BaseWorker, Partition


class NothingWorker(BaseWorker):
    """Does nothing."""

    def work(self, partition: Partition, out: Path) -> None:
        """Return nothing, write nothing."""
