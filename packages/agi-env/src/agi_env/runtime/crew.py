"""The crew of a run: all its slots with their executors; orders to start, stop and kill them."""

from __future__ import annotations

from collections.abc import Iterator

from agi_env.runtime.causes import EndKind
from agi_env.runtime.dispatch_instructions import (
    Instruction,
    KillExecutor,
    StartExecutor,
    StopExecutor,
)
from agi_env.runtime.executor_seat import Seat, SeatState
from agi_env.runtime.partitions import Partition
from agi_env.runtime.slot import Slot
from agi_env.runtime.spec import RunSpec


class Crew:
    """All slots of a run.

    Attributes:
        slots: The slots by their index.
    """

    def __init__(self, spec: RunSpec, out: list[Instruction]) -> None:
        """Make a crew of empty seats.

        Args:
            spec: The run.
            out: Where the instructions go that follow from an order.
        """
        self.slots = {slot.index: Slot(slot) for slot in spec.slots}
        self._spec = spec
        self._out = out

    @property
    def seats(self) -> Iterator[Seat]:
        """All seats, slot by slot."""
        for slot in self.slots.values():
            yield from slot.seats

    @property
    def lives(self) -> bool:
        """Whether any executor lives, or is on its way."""
        return any(seat.lives for seat in self.seats)

    @property
    def usable(self) -> bool:
        """Whether any seat is not given up."""
        return any(slot.usable for slot in self.slots.values())

    def seat(self, slot: int, executor: int) -> Seat:
        """The seat of an executor."""
        return self.slots[slot].seats[executor]

    def start(self, seat: Seat, at: float) -> None:
        """Have an executor on an empty seat."""
        seat.take(SeatState.STARTING, at)
        self._out.append(StartExecutor(seat.slot, seat.executor))

    def stop(self, seat: Seat, at: float) -> None:
        """Have a ready executor stop."""
        seat.take(SeatState.STOPPING, at)
        self._out.append(StopExecutor(seat.slot, seat.executor))

    def kill(self, seat: Seat, why: EndKind) -> None:
        """Have no executor there, unless it is being killed already."""
        if seat.lives and seat.killed is None:
            seat.kill(why)
            self._out.append(KillExecutor(seat.slot, seat.executor))

    def kill_all(self, why: EndKind) -> None:
        """Have no executor anywhere."""
        for seat in self.seats:
            self.kill(seat, why)

    def kill_late(self, at: float) -> None:
        """Kill the executors that are late with what they do."""
        for limit, seat in self._limited():
            if at >= limit:
                self.kill(seat, EndKind.TIMEOUT)

    def stop_all(self, at: float) -> None:
        """Stop the ready ones; those that are still starting have nothing to stop."""
        for seat in self.seats:
            if seat.state is SeatState.STARTING:
                self.kill(seat, EndKind.KILLED)
            elif seat.state is SeatState.READY:
                self.stop(seat, at)

    def limits(self) -> Iterator[float]:
        """When each executor that can be late will be."""
        return (limit for limit, _ in self._limited())

    def evacuate(self, lost: Slot) -> Iterator[tuple[Partition, Slot]]:
        """Take the partitions out of a slot, each with the slot that has the least to do now.

        The caller puts each there before it asks for the next.
        """
        others = [slot for slot in self.slots.values() if slot.usable]
        for partition in lost.queue.drain():
            yield partition, min(others, key=lambda slot: slot.queue.weight)

    def _limited(self) -> Iterator[tuple[float, Seat]]:
        for seat in self.seats:
            limit = seat.limit(self._spec.start_timeout_s, self._spec.partition_timeout_s)
            if limit is not None:
                yield limit, seat
