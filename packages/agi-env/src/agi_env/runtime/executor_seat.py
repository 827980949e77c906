"""A seat: the place of one executor in its slot, through all the processes that take it."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum

from agi_env.runtime.causes import EndKind


class SeatState(StrEnum):
    """What is on a seat."""

    EMPTY = "empty"
    STARTING = "starting"
    READY = "ready"
    STOPPING = "stopping"
    STOPPED = "stopped"
    """``stop`` was called; the process is about to leave."""
    GIVEN_UP = "given_up"


MAX_IN_HAND = 2
"""How many partitions an executor holds: one that runs and one that is ready."""

_LIVING = frozenset({SeatState.STARTING, SeatState.READY, SeatState.STOPPING, SeatState.STOPPED})


@dataclass(frozen=True, slots=True)
class Handed:
    """A partition in the hands of an executor."""

    id: str
    attempt: int
    weight: float


@dataclass(slots=True)
class Seat:
    """What dispatch knows of one executor.

    Attributes:
        slot: The slot it is in.
        executor: Its number there.
        state: What is on it.
        since: When it got into this state.
        in_hand: The partitions it was handed and has not answered for, oldest first.
        began_at: When ``work`` was called for the oldest; none while it was not.
        reducing: Whether it was handed the reduction.
        killed: Why we killed it; none while we did not.
        late: The partition that was killed for taking too long.
        vain: How many processes ended here, one after another, that finished nothing.
        rests_until: No process is started here before this time.
    """

    slot: int
    executor: int
    state: SeatState = SeatState.EMPTY
    since: float = 0.0
    in_hand: list[Handed] = field(default_factory=list)
    began_at: float | None = None
    reducing: bool = False
    killed: EndKind | None = None
    late: str | None = None
    vain: int = 0
    rests_until: float = 0.0

    @property
    def lives(self) -> bool:
        """Whether there is a process, or one on its way."""
        return self.state in _LIVING

    @property
    def usable(self) -> bool:
        """Whether it runs partitions, or will."""
        return self.state is not SeatState.GIVEN_UP

    @property
    def hands_free(self) -> bool:
        """Whether it can be handed something."""
        return self.state is SeatState.READY and self.killed is None

    @property
    def leaving(self) -> bool:
        """Whether it was asked to stop."""
        return self.state in (SeatState.STOPPING, SeatState.STOPPED)

    @property
    def running(self) -> Handed | None:
        """The partition whose ``work`` was called."""
        return self.in_hand[0] if self.in_hand and self.began_at is not None else None

    def take(self, state: SeatState, at: float) -> None:
        """Change the state."""
        self.state, self.since = state, at

    def begin(self, name: str, attempt: int, at: float) -> bool:
        """Note that ``work`` was called; false when that partition is not the oldest in hand."""
        if not self.in_hand or (self.in_hand[0].id, self.in_hand[0].attempt) != (name, attempt):
            return False
        self.began_at = at
        return True

    def answer(self, name: str, attempt: int, at: float) -> bool:
        """Take a partition out of the hand; false when it is not the running one."""
        handed = self.running
        if handed is None or (handed.id, handed.attempt) != (name, attempt):
            return False
        del self.in_hand[0]
        self.began_at = None
        self.vain = 0
        if self.leaving:
            self.since = at  # what is left to do is to stop
        return True

    def kill(self, why: EndKind) -> None:
        """Note that we kill it, and the partition that was running too long, if one was."""
        self.killed = why
        if why is EndKind.TIMEOUT and self.running is not None:
            self.late = self.running.id

    def vacate(self, at: float) -> None:
        """Make it empty for the next process."""
        self.take(SeatState.EMPTY, at)
        self.in_hand = []
        self.began_at, self.reducing, self.killed, self.late = None, False, None, None

    def limit(self, start_timeout_s: float, partition_timeout_s: float | None) -> float | None:
        """When it will be late with what it does; none when it cannot be."""
        if self.killed is not None:
            return None
        if self.state is SeatState.STARTING:
            return self.since + start_timeout_s
        if self.leaving and self.began_at is None:
            return self.since + start_timeout_s
        if partition_timeout_s is None or self.began_at is None:
            return None
        return self.began_at + partition_timeout_s
