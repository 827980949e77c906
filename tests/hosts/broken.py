"""A fault in force."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager


class Broken:
    """A fault that lasts until it is undone, at the latest at the end of a ``with``."""

    def __init__(
        self, lasting: AbstractContextManager[None], undo: Callable[[Broken], None]
    ) -> None:
        self._lasting = lasting
        self._undo = undo
        lasting.__enter__()

    def undo(self) -> None:
        """Mend it; nothing where that was done."""
        self._undo(self)

    def mend(self) -> None:
        """What `undo` does the first time."""
        self._lasting.__exit__(None, None, None)

    def __enter__(self) -> Broken:
        return self

    def __exit__(self, *_: object) -> None:
        self.undo()
