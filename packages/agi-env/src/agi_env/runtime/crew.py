"""The crew of a run: all its slots with their executors, and the partitions that wait for them."""

from __future__ import annotations

from collections.abc import Iterator

from agi_env.runtime.causes import EndCause, EndKind
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
        self._resting: list[tuple[float, str, int]] = []

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

    def spare(self, at: float) -> Seat | None:
        """A seat on which an executor can be started; none while there is none."""
        slots = sorted((each for each in self.slots.values() if each.runs), key=_last_resort)
        seats = (seat for slot in slots for seat in slot.seats)
        return next((seat for seat in seats if seat.usable and seat.rests_until <= at), None)

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

    def rest(self, seat: Seat, times: int, at: float) -> None:
        """Start nothing on a seat for a while: longer each time."""
        seat.rests_until = at + self.pause(times) if self._spec.retry_pause_s else 0.0

    def pause(self, times: int) -> float:
        """Seconds to wait after so many deaths in a row."""
        return float(self._spec.retry_pause_s * 2 ** max(0, times - 1))

    def refresh(self, at: float) -> None:
        """End the pauses that are over."""
        for seat in self.seats:
            if seat.rests_until <= at:
                seat.rests_until = 0.0

    def limits(self) -> Iterator[float]:
        """When each executor that can be late will be, and each pause is over."""
        yield from (limit for limit, _ in self._limited())
        yield from (due for due, _, _ in self._resting)
        for seat in self.seats:
            if seat.state is SeatState.EMPTY and seat.rests_until:
                yield seat.rests_until

    # Partitions.

    def queue(self, name: str, slot: int) -> None:
        """Let a partition wait in a slot, at its place in the plan."""
        self.slots[slot].queue.put(self._ledger.place(name), self._ledger.partition(name))

    def queue_later(self, name: str, slot: int, due: float) -> None:
        """Let a partition rest, and then wait in a slot."""
        self._resting.append((due, name, slot))

    def employ(self, at: float) -> None:
        """Start the executors that there is work for, and fill the hands of those that are."""
        self._wake(at)
        self._empty_drained(at)
        for slot in self.slots.values():
            for seat in slot.missing():
                if seat.rests_until <= at:
                    self.start(seat, at)
            for seat in slot.next_hands():
                self._hand(seat, slot)

    def evacuate(self, lost: Slot, reason: str) -> None:
        """Move what waits in a slot to those that have the least to do, the heaviest first.

        Where none is left that runs anything now, it stays.
        """
        others = [each for each in self.slots.values() if each is not lost and each.runs]
        others = [slot for slot in others if not slot.drained] or others
        waiting = list(lost.queue.drain()) if others else []
        for partition in sorted(waiting, key=lambda each: each.weight, reverse=True):
            self._move(partition.id, lost, min(others, key=lambda slot: slot.load), reason)

    # Slots.

    def join(self, slot: Slot) -> None:
        """A slot is there: what is at home there returns, and what waits in lost ones may come."""
        slot.present, slot.lost = True, ""
        index = slot.spec.index
        for other in self.slots.values() if slot.staffed else ():
            if other is not slot:
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

    def drain(self, slot: Slot, reason: str) -> None:
        """Begin nothing more in a slot, as long as another one is there for its partitions."""
        if not slot.drained and slot.usable:
            slot.drained = reason
            self._out.append(Append("slot_drained", {"slot": slot.spec.index, "reason": reason}))

    def evacuate_lost(self) -> None:
        """Move what waits in lost slots to where it is run."""
        for slot in self.slots.values():
            if slot.lost or not slot.usable:
                self.evacuate(slot, slot.lost or "no executor stays alive there")

    def _wake(self, at: float) -> None:
        due = [each for each in self._resting if each[0] <= at]
        self._resting = [each for each in self._resting if each[0] > at]
        for _, name, slot in due:
            self.queue(name, slot)
        if due:
            self.evacuate_lost()

    def _empty_drained(self, at: float) -> None:
        """Move what waits in drained slots, and let go of those in which nothing runs any more."""
        for slot in self.slots.values():
            if not slot.drained or not slot.usable:
                continue
            if any(other.staffed for other in self.slots.values()):
                self.evacuate(slot, slot.drained)
                self._dismiss(slot, at)

    def _dismiss(self, slot: Slot, at: float) -> None:
        for seat in slot.seats:
            if seat.state is SeatState.STARTING:
                self.kill(seat, EndKind.DRAINED)
            elif seat.hands_free:
                self.stop(seat, at)
        if not slot.lives:
            cause = EndCause(EndKind.DRAINED, detail=slot.drained).to_dict()
            facts = {"slot": slot.spec.index, "reason": slot.drained, "cause": cause}
            self._out.append(Append("slot_given_up", facts))
            self.lose(slot, slot.drained, for_good=True)

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


def _last_resort(slot: Slot) -> bool:
    return bool(slot.drained)
