"""The manager side: it names equal partitions, sixteen unless told otherwise."""

from __future__ import annotations

from typing import Any

from agi_env import BaseApp, Partition
from agi_env.runtime.app_context import AppContext


class Sixteen(BaseApp):
    """Names equal partitions.

    Args:
        env: Where the app runs.
        partitions: How many.
        **args: Other arguments of the app; the worker side reads them.
    """

    def __init__(self, env: AppContext, *, partitions: int = 16, **args: Any) -> None:
        super().__init__(env, **args)
        self._count = partitions

    def partitions(self) -> list[Partition]:
        """Partitions that are all alike."""
        return [Partition.of(f"{number:06d}") for number in range(self._count)]
