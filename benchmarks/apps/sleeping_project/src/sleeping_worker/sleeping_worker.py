"""The worker side: it sleeps."""

from __future__ import annotations

import time
from pathlib import Path

from agi_env import BaseWorker, Partition


class SleepingWorker(BaseWorker):
    """Sleeps for as long as the partition says."""

    def work(self, partition: Partition, out: Path) -> None:
        """Return nothing, write nothing."""
        time.sleep(partition.payload)
