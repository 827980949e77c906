"""The reduction of a run's results: whether there is one, who does it, how often it was tried."""

from __future__ import annotations

from agi_env.runtime.crew import Crew
from agi_env.runtime.dispatch_instructions import Append, HandReduce, Instruction
from agi_env.runtime.history import Accepted


class Reduction:
    """One reduction, by one executor at a time.

    Attributes:
        accepted: What ``reduce`` stored; none before, and none when the app has no ``reduce``.
        offered: Whether the app has a ``reduce``; none while no executor was there to say so.
        attempts: How often it was handed out.
    """

    def __init__(self, crew: Crew, accepted: Accepted | None, out: list[Instruction]) -> None:
        self.accepted = accepted
        self.offered: bool | None = None
        self.attempts = 0
        self._crew = crew
        self._out = out

    @property
    def over(self) -> bool:
        """Whether nothing is left to reduce."""
        return self.accepted is not None or self.offered is False

    def advance(self, at: float) -> None:
        """See that an executor is at it, once one is there to say whether the app has any."""
        if any(seat.reducing for seat in self._crew.seats):
            return
        ready = next((seat for seat in self._crew.seats if seat.hands_free), None)
        if ready is not None:
            self.attempts += 1
            ready.reducing = True
            place = (ready.slot, ready.executor, self.attempts)
            facts = {"slot": place[0], "executor": place[1], "attempt": place[2]}
            self._out += [Append("reduce_started", facts), HandReduce(*place)]
        elif not self._crew.lives and (seat := self._crew.spare(at)) is not None:
            self._crew.start(seat, at)
