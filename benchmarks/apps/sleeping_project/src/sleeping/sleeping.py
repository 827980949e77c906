"""The manager side: it names as many partitions as it is told to, each with its time."""

from __future__ import annotations

from agi_env import BaseApp, Partition


class Sleeping(BaseApp):
    """Names one partition for each of ``seconds``."""

    def partitions(self) -> list[Partition]:
        """The partitions, weighed by their time."""
        return [
            Partition.of(id=f"p{number}", weight=max(seconds, 1e-3), payload=seconds)
            for number, seconds in enumerate(self.args["seconds"])
        ]
