"""The manager side of an app: it says what the partitions are, never where they go."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable
from typing import Any

from agi_env.runtime.app_context import AppContext
from agi_env.runtime.partitions import Partition


class BaseApp(ABC):
    """Base of an app's manager class; any class with the same methods serves as well.

    Attributes:
        env: Where and how the app runs.
        args: The app's own arguments, from ``[args]`` of its settings and from the call.
    """

    def __init__(self, env: AppContext, **args: Any) -> None:
        self.env = env
        self.args = args

    @abstractmethod
    def partitions(self) -> Iterable[Partition]:
        """Name the partitions of a run with these arguments, each id once."""
