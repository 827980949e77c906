"""How long calls may take."""

from __future__ import annotations

from enum import Enum

from attrs import frozen


class Pace(Enum):
    """What kind of call it is."""

    READ = "read"
    CHANGE = "change"
    HOST = "host"
    PLAN = "plan"
    LOG = "log"


@frozen(kw_only=True)
class Deadlines:
    """Seconds that a call of each kind may take in all, and that a client waits for the daemon."""

    read: float = 10.0
    change: float = 30.0
    host: float = 60.0
    """A change of a host may mean connecting to it, logging in and looking at it."""
    plan: float = 300.0
    """Making a plan installs what is missing and runs the app's own code."""
    log: float = 600.0
    """Reading a log to its end."""
    answer: float = 10.0
    """How long a call is tried again while nobody answers at the address; 0: tried once."""
    watch: float = 60.0
    """How long a watch waits for a daemon that went away to come back."""

    def of(self, pace: Pace) -> float:
        """The seconds of one kind."""
        seconds: float = getattr(self, pace.value)
        return seconds


DEFAULT = Deadlines()
