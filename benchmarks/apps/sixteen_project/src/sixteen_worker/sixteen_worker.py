"""The worker side: it sleeps and spins for as long as it is told."""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from agi_env import BaseWorker, Partition
from agi_env.runtime.app_context import AppContext
from agi_env.runtime.partitions import PartitionResult


class SixteenWorker(BaseWorker):
    """Takes time.

    Args:
        env: Where the app runs.
        sleep_ms: How long each partition waits, in milliseconds.
        spin_ms: How much processor time each partition takes after that, in milliseconds.
        **args: Other arguments of the app; the manager side reads them.
    """

    def __init__(
        self, env: AppContext, *, sleep_ms: float = 0, spin_ms: float = 0, **args: Any
    ) -> None:
        super().__init__(env, **args)
        self._sleep_s = sleep_ms / 1000
        self._spin_s = spin_ms / 1000

    def work(self, partition: Partition, out: Path) -> int:
        """Wait, then compute; return how often the loop went round."""
        time.sleep(self._sleep_s)
        return _spin(self._spin_s)

    def reduce(self, results: Sequence[PartitionResult]) -> dict[str, int]:
        """How many partitions there were."""
        return {"partitions": len(results)}


def _spin(seconds: float) -> int:
    """Take this much processor time of the calling thread, however busy the machine is."""
    end, rounds = time.thread_time() + seconds, 0
    while time.thread_time() < end:
        rounds += 1
    return rounds
