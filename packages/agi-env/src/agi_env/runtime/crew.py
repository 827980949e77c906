"""The crew of a run: all its slots with their executors, and the partitions that wait for them."""

from __future__ import annotations

from collections.abc import Iterator

from agi_env.runtime.causes import EndKind
from agi_env.runtime.dispatch_instructions import (
    Append,
    FenceSlot,
    HandPartition,
    Instruction,
    KillExecutor,
    StartExecutor,
    StopExecutor,
)
from agi_env.runtime.executor_seat import Handed, Seat, SeatState
from agi_env.runtime.ledger import Ledger
from agi_env.runtime.slot import Slot
from agi_env.runtime.spec import RunPlan, RunSpec


class Crew:
    """All slots of a run.

    Attributes:
        slots: The slots by their index.
    """

    def __init__(
        self, spec: RunSpec, plan: RunPlan, ledger: Ledger, out: list[Instruction]
    ) -> None:
        """Make a crew of empty seats and queues.

        Args:
            spec: The run.
            plan: Where each partition is at home.
            ledger: What the partitions have come to.
            out: Where the instructions go that follow from an order.
        """
        present = spec.cluster is None
        self.slots = {slot.index: Slot(slot, present=present) for slot in spec.slots}
        self._spec = spec
        self._homes = {
            partition.id: slot
            for partition, slot in zip(plan.partitions, plan.assignment, strict=True)
        }
        self._ledger = ledger
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

    def spare(self) -> Seat | None:
        """A seat on which an executor can be started; none while there is none."""
        staffed = (slot for slot in self.slots.values() if slot.staffed)
        return next((seat for slot in staffed for seat in slot.seats if seat.usable), None)

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

    # Partitions.

    def queue(self, name: str, slot: int) -> None:
        """Let a partition wait in a slot, at its place in the plan."""
        self.slots[slot].queue.put(self._ledger.place(name), self._ledger.partition(name))

    def employ(self, at: float) -> None:
        """Start the executors that there is work for, and fill the hands of those that are."""
        for slot in self.slots.values():
            for seat in slot.missing():
                self.start(seat, at)
            for seat in slot.next_hands():
                self._hand(seat, slot)

    def evacuate(self, lost: Slot, reason: str) -> None:
        """Move what waits in a slot to those that have the least to do, the heaviest first.

        Where none is left that runs anything now, it stays.
        """
        others = [slot for slot in self.slots.values() if slot.staffed and slot is not lost]
        waiting = list(lost.queue.drain()) if others else []
        for partition in sorted(waiting, key=lambda each: each.weight, reverse=True):
            self._move(partition.id, lost, min(others, key=lambda slot: slot.load), reason)

    # Slots.

    def join(self, slot: Slot) -> None:
        """A slot is there: what is at home there returns, and what waits in lost ones may come."""
        slot.present, slot.lost = True, ""
        index = slot.spec.index
        for other in self.slots.values():
            if other is not slot and slot.usable:
                for partition in other.queue.withdraw(lambda each: self._homes[each.id] == index):
                    self._move(partition.id, other, slot, f"slot {index} is there")
        self.evacuate_lost()

    def lose(self, slot: Slot, reason: str, *, for_good: bool) -> None:
        """A slot with empty seats is no longer there; another worker may take it, or never will."""
        slot.present, slot.lost = False, reason
        if for_good:
            for seat in slot.seats:
                seat.state = SeatState.GIVEN_UP
        self._out.append(FenceSlot(slot.spec.index))
        self.evacuate_lost()

    def evacuate_lost(self) -> None:
        """Move what waits in lost slots to where it is run."""
        for slot in self.slots.values():
            if slot.lost:
                self.evacuate(slot, slot.lost)

    def _hand(self, seat: Seat, slot: Slot) -> None:
        partition = slot.queue.take()
        attempt = self._ledger.next_attempt(partition.id)
        seat.in_hand.append(Handed(partition.id, attempt, partition.weight))
        self._out.append(HandPartition(seat.slot, seat.executor, partition.id, attempt))

    def _move(self, name: str, here: Slot, there: Slot, reason: str) -> None:
        places = {"from_slot": here.spec.index, "to_slot": there.spec.index}
        self._out.append(Append("partition_moved", {"id": name, **places, "reason": reason}))
        self.queue(name, there.spec.index)

    def _limited(self) -> Iterator[tuple[float, Seat]]:
        for seat in self.seats:
            limit = seat.limit(self._spec.start_timeout_s, self._spec.partition_timeout_s)
            if limit is not None:
                yield limit, seat
