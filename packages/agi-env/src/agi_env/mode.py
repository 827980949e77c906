"""The mode of a run: a bitmask of how its partitions are executed."""

from __future__ import annotations

from enum import IntFlag

from agi_env.errors import InvalidModeError


class Mode(IntFlag):
    """How a run executes: the sum of the bits below, 0 to 15.

    As ``mode`` it is one concrete choice for a run; as ``modes_enabled`` the set of
    capabilities that an install stages.
    """

    PLAIN = 0
    """One executor, one partition after another."""
    POOL = 1
    """Several executors in a slot, one per core."""
    CYTHON = 2
    """The compiled worker."""
    CLUSTER = 4
    """Dask workers on the hosts of the selection."""
    RAPIDS = 8
    """GPU workers."""

    @classmethod
    def parse(cls, value: int) -> Mode:
        """Return the mode with this number.

        Args:
            value: The bitmask, 0 to 15.

        Raises:
            InvalidModeError: The value is no integer or has a bit that means nothing.
        """
        if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value <= _ALL:
            raise InvalidModeError(value)
        return cls(value)

    @property
    def words(self) -> str:
        """The mode in words, highest bit first: ``13 = cluster + rapids + pool``."""
        names = [name for bit, name in _WORDS if bit in self]
        return f"{int(self)} = {' + '.join(names) or 'plain local Python'}"

    @property
    def letters(self) -> str:
        """The mode as four places ``r d c p``, ``_`` where a bit is off: 4 is ``_d__``."""
        return "".join(letter if bit in self else "_" for bit, letter in _LETTERS)


_ALL = 15
_WORDS = (
    (Mode.CLUSTER, "cluster"),
    (Mode.RAPIDS, "rapids"),
    (Mode.CYTHON, "cython"),
    (Mode.POOL, "pool"),
)
_LETTERS = ((Mode.RAPIDS, "r"), (Mode.CLUSTER, "d"), (Mode.CYTHON, "c"), (Mode.POOL, "p"))
