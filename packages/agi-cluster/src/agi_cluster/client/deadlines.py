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
    FOLLOW = "follow"


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
    follow: float = 86_400.0
    """Reading a log while it is written."""
    answer: float = 10.0
    """How long a call is tried again while nobody answers at the address; 0: tried once."""
    absent: float = 3.0
    """The same where there is not even a socket, and this client may start no daemon there: more
    than a daemon that is restarted takes, and soon enough for who mistyped the address."""
    watch: float = 60.0
    """How long a watch waits for a daemon that went away to come back."""

    def of(self, pace: Pace) -> float:
        """The seconds of one kind."""
        seconds: float = getattr(self, pace.value)
        return seconds


DEFAULT = Deadlines()

IN_A_STEP = Deadlines(read=3600, change=3600, plan=3600, answer=3600, absent=3600, watch=86_400)
"""Those of a pipeline's step: it outlives its daemon, and waits for the next one. How long it may
take in all is the pipeline's to say."""
