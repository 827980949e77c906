"""How much a run logs and streams."""

from __future__ import annotations

from enum import IntEnum

from agi_env.errors import InvalidInputError


class Verbosity(IntEnum):
    """What a person is shown while a run goes on, each level with all of the levels below it.

    The journal always holds every fact, and the log files always hold all output within their
    bounds: the level decides what is streamed to a watcher and written to the daemon's log.
    """

    QUIET = 0
    """How the run settled, and errors."""
    PROGRESS = 1
    """Phases (install, plan, run, reduce, publish) and how many partitions are done."""
    PARTITIONS = 2
    """Each partition as it starts, finishes, fails or moves, with its slot and seconds."""
    OUTPUT = 3
    """What the app prints."""

    @classmethod
    def parse(cls, value: object) -> Verbosity:
        """Return the level with this number.

        Raises:
            InvalidInputError: The value is no whole number from 0 to 3.
        """
        if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value <= cls.OUTPUT:
            raise InvalidInputError(
                f"verbose {value!r} is no level", remedy="Give a whole number from 0 to 3"
            )
        return cls(value)

    @property
    def words(self) -> str:
        """The level in words: ``1 = phases and progress``."""
        return f"{int(self)} = {_WORDS[self]}"


_WORDS = {
    Verbosity.QUIET: "the outcome and errors",
    Verbosity.PROGRESS: "phases and progress",
    Verbosity.PARTITIONS: "phases, progress and each partition",
    Verbosity.OUTPUT: "phases, progress, each partition and what the app prints",
}
