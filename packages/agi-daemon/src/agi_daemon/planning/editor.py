"""An edit of a plan: operations one after another on a sheet, and the revision they amount to."""

from __future__ import annotations

import sqlite3
from array import array
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from functools import cached_property

from attrs import evolve

from agi_cluster.model.plan import Plan, PlanSlot
from agi_cluster.model.plan_edit import Move, Pin, Swap, Undo, Unpin
from agi_daemon.planning import partition_store, place_store, plan_store
from agi_daemon.planning.draft import digest_of, etag_of, findings_of, outline_of
from agi_daemon.planning.placement import Placement
from agi_daemon.planning.places import Sheet, place_blocks
from agi_daemon.planning.plan_store import Revision
from agi_daemon.planning.seats import Seat
from agi_daemon.planning.slot_loads import EXACT_LIMIT, SlotLoads, slots_of, weights_on
from agi_env.errors import PlanInvalidError
from agi_env.runtime.partition_block import BLOCK

_LONGEST_CHANGE = 200

Simple = Move | Swap | Pin | Unpin | Undo
"""What is done at once; a rebalance is placed elsewhere first."""


class Editor:
    """Edits one plan, beginning with its latest revision.

    Args:
        connection: Where the plan is read; it is not changed.
        plan: The latest revision.
    """

    def __init__(self, connection: sqlite3.Connection, plan: Plan) -> None:
        self.plan = plan
        self._connection = connection
        self._sheet = Sheet(
            plan.partition_count,
            lambda block: place_store.block(connection, plan.id, plan.revision, block),
        )
        self._loads = SlotLoads(plan.slots)
        self._weights: dict[int, array[float]] = {}
        self._changes: list[str] = []
        self._shows = plan.revision + 1
        self._placed = plan_store.lineage(connection, plan.id, plan.revision)[1]

    @cached_property
    def weights(self) -> array[float]:
        """The weights of all partitions."""
        return partition_store.weights(self._connection, self.plan.id)

    @property
    def pins(self) -> dict[int, int]:
        """By the position of each pinned partition the index of its slot."""
        return {position: self._sheet.slot(position) for position in self._sheet.pins()}

    def id_at(self, position: int) -> str:
        """The id of a partition."""
        return partition_store.named_at(self._connection, self.plan.id, [position])[position]

    def apply(self, edit: Simple) -> None:
        """Do one operation.

        Raises:
            PlanInvalidError: It names a partition, a slot or a revision that is not there.
        """
        match edit:
            case Move():
                self._move(edit)
            case Swap():
                self._swap(edit)
            case Pin():
                self._pin(edit.partitions, pinned=True)
            case Unpin():
                self._pin(edit.partitions, pinned=False)
            case Undo():
                self._undo(edit.revision)
        if not isinstance(edit, Undo):
            self._shows = self.plan.revision + 1

    def take(self, placement: Placement, seats: Sequence[Seat], without: Sequence[str]) -> None:
        """Have all partitions where a placement has them."""
        owner = [slot for _, slot in seats]
        slots = array("I", map(owner.__getitem__, placement.assignment))
        for number, block in enumerate(place_blocks(slots, self._sheet.pins())):
            self._sheet.replace(number, block)
        self._loads.replace(slots_of(self._emptied(), seats, placement))
        self._placed = self._shows = self.plan.revision + 1
        self._changes.append(f"rebalanced{' without ' + ', '.join(without) if without else ''}")

    def revision(self) -> Revision:
        """The revision that the operations amount to."""
        plan, number = self.plan, self.plan.revision + 1
        places = self._sheet.changed()
        slots = self._finished()
        facts = plan_store.named_facts(self._connection, plan.id)
        kept = place_store.digest(self._connection, plan.id, plan.revision, places)
        digest = digest_of(facts.digest, kept, slots)
        new = evolve(
            plan,
            revision=number,
            base_revision=plan.revision,
            etag=etag_of(number, digest),
            digest=digest,
            slots=slots,
            predicted_finish=max((slot.predicted_finish for slot in slots), default=0.0),
            pinned_count=plan.pinned_count + self._sheet.pinned_more(),
            create_time=datetime.now(UTC),
            change="; ".join(self._changes)[:_LONGEST_CHANGE],
        )
        new = evolve(new, findings=findings_of(outline_of(new, facts)))
        return Revision(plan=new, places=places, shows=self._shows, placed=self._placed)

    def _move(self, edit: Move) -> None:
        self._check_slot(edit.slot)
        for position in self._positions(edit.partitions):
            self._put(position, edit.slot)
        what = edit.partitions[0] if len(edit.partitions) == 1 else _counted(edit.partitions)
        self._changes.append(f"moved {what} to {self.plan.slot_names[edit.slot]}")

    def _swap(self, edit: Swap) -> None:
        first, second = self._positions((edit.first, edit.second))
        places = self._sheet.slot(first), self._sheet.slot(second)
        self._put(first, places[1])
        self._put(second, places[0])
        self._changes.append(f"swapped {edit.first} and {edit.second}")

    def _pin(self, partitions: Sequence[str], *, pinned: bool) -> None:
        chosen = self._sheet.pins() if not partitions and not pinned else None
        for position in self._positions(partitions) if chosen is None else chosen:
            self._sheet.pin(position, pinned=pinned)
        what = partitions[0] if len(partitions) == 1 else _counted(partitions or chosen or ())
        self._changes.append(f"{'pinned' if pinned else 'unpinned'} {what}")

    def _undo(self, revision: int) -> None:
        plan, connection = self.plan, self._connection
        shown = plan_store.lineage(connection, plan.id, plan.revision)[0]
        target = revision or shown - 1
        if not 1 <= target <= plan.revision:
            raise PlanInvalidError(
                f"there is no revision {target} to go back to",
                where=plan.name,
                remedy=f"`agi plans revisions plans/{plan.id}` lists them",
            )
        earlier = plan_store.find(connection, plan.id, target)
        changed = place_store.changed_between(connection, plan.id, target, plan.revision)
        for block in sorted({*changed, *self._sheet.changed()}):
            self._sheet.replace(block, place_store.block(connection, plan.id, target, block))
        self._loads.replace(earlier.slots)
        self._shows, self._placed = plan_store.lineage(connection, plan.id, target)
        self._changes.append(f"back to revision {target}")

    def _put(self, position: int, slot: int) -> None:
        source = self._sheet.slot(position)
        if source != slot:
            self._sheet.put(position, slot)
            self._loads.move(self._weight(position), source, slot)

    def _weight(self, position: int) -> float:
        block, offset = divmod(position, BLOCK)
        if block not in self._weights:
            found = partition_store.block_weights(self._connection, self.plan.id, block)
            self._weights[block] = found
        return self._weights[block][offset]

    def _positions(self, partitions: Sequence[str]) -> list[int]:
        if not partitions:
            raise PlanInvalidError(
                "no partition is named", where=self.plan.name, remedy="Name one at least"
            )
        found = partition_store.positions(self._connection, self.plan.id, partitions)
        return [found[name] for name in partitions]

    def _check_slot(self, slot: int) -> None:
        if slot not in self._loads.by_index:
            raise PlanInvalidError(
                f"the plan has no slot {slot}",
                where=self.plan.name,
                remedy=f"Give one of 0 to {max(self._loads.by_index, default=0)}",
            )

    def _finished(self) -> tuple[PlanSlot, ...]:
        held: Mapping[int, Sequence[float]] = {}
        if self._loads.shared and self.plan.partition_count <= EXACT_LIMIT:
            held = weights_on(self._loads.shared, self._sheet.slots(), self.weights)
        return self._loads.finished(held)

    def _emptied(self) -> list[PlanSlot]:
        return [
            evolve(slot, load=0.0, partition_count=0, predicted_finish=0.0)
            for slot in self.plan.slots
        ]


def _counted(what: Sequence[object]) -> str:
    return f"{len(what):,} partition{'' if len(what) == 1 else 's'}"
