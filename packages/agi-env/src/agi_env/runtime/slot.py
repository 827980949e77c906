"""A slot as dispatch sees it: its executors, and the partitions that wait for them."""

from __future__ import annotations

from collections.abc import Iterator

from agi_env.runtime.executor_seat import MAX_IN_HAND, Seat, SeatState
from agi_env.runtime.slot_queue import SlotQueue
from agi_env.runtime.spec import SlotSpec


class Slot:
    """One slot.

    Attributes:
        spec: What it was asked to be.
        seats: The places of its executors.
        queue: The partitions that are in nobody's hands.
        present: Whether executors can be started there.
        lost: Why nothing can be, once it could or was hoped to; empty otherwise.
        drained: Why nothing more is to be begun there; empty while anything may.
    """

    def __init__(self, spec: SlotSpec, *, present: bool = True) -> None:
        self.spec = spec
        self.present = present
        self.lost = ""
        self.drained = ""
        self.seats = [Seat(spec.index, number) for number in range(spec.executors)]
        self.queue = SlotQueue()

    @property
    def usable(self) -> bool:
        """Whether some executor of it runs partitions, or will."""
        return any(seat.usable for seat in self.seats)

    @property
    def staffed(self) -> bool:
        """Whether what is put here is run, and may be put here."""
        return self.runs and not self.drained

    @property
    def runs(self) -> bool:
        """Whether what is here is run without anything else having to happen."""
        return self.present and self.usable

    @property
    def lives(self) -> bool:
        """Whether any executor of it lives, or is on its way."""
        return any(seat.lives for seat in self.seats)

    @property
    def load(self) -> float:
        """The weights of all that waits or is in somebody's hands, together."""
        in_hand = sum(handed.weight for seat in self.seats for handed in seat.in_hand)
        return self.queue.weight + in_hand

    def missing(self) -> list[Seat]:
        """The empty seats on which there is work for an executor, the most rested first."""
        if not self.present:
            return []
        living = sum(seat.lives for seat in self.seats)
        wanted = len(self.queue) + sum(bool(seat.in_hand) for seat in self.seats)
        empty = [seat for seat in self.seats if seat.state is SeatState.EMPTY]
        empty.sort(key=lambda seat: seat.rests_until)
        return empty[: max(0, wanted - living)]

    def next_hands(self) -> Iterator[Seat]:
        """The seats to hand the first in the queue to, one after another, idle ones first.

        The caller takes one partition out of the queue for each.
        """
        free = [seat for seat in self.seats if seat.hands_free]
        for depth in range(MAX_IN_HAND):
            for seat in free:
                if self.queue and len(seat.in_hand) == depth and self._may_wait_at(seat):
                    yield seat

    def _may_wait_at(self, seat: Seat) -> bool:
        """Whether a partition behind the running one starts no later than it would elsewhere.

        As far as weights tell: the others in the slot have enough to do until then.
        """
        if not seat.in_hand:
            return True
        others = sum(each.lives for each in self.seats) - 1
        left = self.queue.weight - self.queue.first().weight
        return left >= others * seat.in_hand[0].weight
