"""The manager side: it names a single partition."""

from __future__ import annotations

from agi_env import BaseApp, Partition


class Nothing(BaseApp):
    """Names one partition in which nothing is to be done."""

    def partitions(self) -> list[Partition]:
        """The one partition."""
        return [Partition.of("nothing")]
