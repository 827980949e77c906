"""How far a run has come, as dispatch sees it."""

from __future__ import annotations

from enum import IntEnum


class Phase(IntEnum):
    """How far a run has come."""

    RUNNING = 1
    REDUCING = 2
    STOPPING = 3
    PUBLISHING = 4
    SETTLED = 5
