"""The worker side of an app: it does the work of one partition after another."""

from __future__ import annotations

from abc import ABC, abstractmethod
from functools import cached_property
from pathlib import Path
from typing import Any

from agi_env.runtime.app_context import AppContext
from agi_env.runtime.devices import array_module
from agi_env.runtime.partitions import JsonValue, Partition


class BaseWorker(ABC):
    """Base of an app's worker class; any class with the same methods serves as well.

    One object lives in each executor: ``start`` once, ``work`` for each of its partitions, ``stop``
    once. An app that wants one value from all partitions also defines
    ``reduce(self, results: Sequence[PartitionResult]) -> JsonValue``, which is called once when
    every partition has succeeded.

    Attributes:
        env: Where and how the app runs.
        args: The app's own arguments, from ``[args]`` of its settings and from the call.
    """

    def __init__(self, env: AppContext, **args: Any) -> None:
        self.env = env
        self.args = args

    @cached_property
    def xp(self) -> Any:
        """The module of arrays: CuPy in a mode with the rapids bit, else numpy.

        Both have the same functions, so one ``work`` serves both. CuPy's device is the slot's.

        Raises:
            ModuleNotFoundError: The app does not declare numpy.
        """
        return array_module(self.env.mode)

    def start(self) -> None:
        """Prepare what all partitions need, once in each executor."""
        return

    @abstractmethod
    def work(self, partition: Partition, out: Path) -> JsonValue:
        """Do the work of one partition.

        Args:
            partition: What to do.
            out: A private, empty directory; what is written there is published with the run.

        Returns:
            A small JSON value. It is stored, counted once, and handed to ``reduce``.
        """

    def stop(self) -> None:
        """Let go of what ``start`` took."""
        return


def has_work(worker: type) -> bool:
    """Whether this class has a ``work`` of its own."""
    abstract: frozenset[str] = getattr(worker, "__abstractmethods__", frozenset())
    return callable(getattr(worker, "work", None)) and "work" not in abstract


def has_reduce(worker: type) -> bool:
    """Whether this class turns the partitions' values into one."""
    return callable(getattr(worker, "reduce", None))
