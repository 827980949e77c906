"""What is carried from a plan to a fresh one: its pins, and what was moved by hand."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence

from attrs import frozen

from agi_cluster.model.plan import Plan, PlanSlot, slot_names
from agi_daemon.planning import partition_store, place_store, plan_store
from agi_daemon.planning.named import Named
from agi_env.runtime.partition_block import BLOCK, ids_of


@frozen(kw_only=True)
class Carried:
    """Places by the ids of partitions and the names of slots, which mean the same in any plan."""

    plan: str
    """The revision that they come from."""
    pinned: dict[str, str]
    moved: dict[str, str]
    """What was moved by hand since the planner placed it last, and is not pinned."""

    @classmethod
    def of(cls, connection: sqlite3.Connection, plan: Plan) -> Carried:
        """The pins and moves of a revision."""
        placed = plan_store.lineage(connection, plan.id, plan.revision)[1]
        pins = set(place_store.pins(connection, plan.id, plan.revision))
        places = dict.fromkeys(pins, 0)
        low, high = sorted((placed, plan.revision))
        for number in place_store.changed_between(connection, plan.id, low, high):
            before = place_store.block(connection, plan.id, placed, number)
            after = place_store.block(connection, plan.id, plan.revision, number)
            for offset, (source, target) in enumerate(zip(before.slots, after.slots, strict=True)):
                if source != target:
                    places[number * BLOCK + offset] = target
        for position in pins:
            block = place_store.block(connection, plan.id, plan.revision, position // BLOCK)
            places[position] = block.slots[position % BLOCK]
        ids = partition_store.named_at(connection, plan.id, places)
        names = plan.slot_names
        named = {position: (ids[position], names[slot]) for position, slot in places.items()}
        return cls(
            plan=plan.name,
            pinned=dict(named[position] for position in sorted(pins)),
            moved=dict(named[position] for position in sorted(places.keys() - pins)),
        )

    def onto(
        self, named: Named, slots: Sequence[PlanSlot]
    ) -> tuple[dict[int, int], dict[int, int]]:
        """Moves and pins by the positions of partitions and the indexes of slots.

        Partitions and slots that are not there any more are left out.
        """
        index = {name: slot for slot, name in self._names(slots)}
        wanted = {**self.moved, **self.pinned}
        found: dict[str, int] = {}
        for number, block in enumerate(named.blocks) if wanted else ():
            ids = ids_of(block.columns)
            found |= {
                each: number * BLOCK + offset for offset, each in enumerate(ids) if each in wanted
            }
        fixed, pins = (
            {
                found[each]: index[place]
                for each, place in places.items()
                if each in found and place in index
            }
            for places in (self.moved, self.pinned)
        )
        return fixed, pins

    def words(self, moved: int, pinned: int) -> str:
        """What was carried, for people."""
        lost = len(self.moved) + len(self.pinned) - moved - pinned
        dropped = f", {lost} dropped" if lost else ""
        return f"made from {self.plan}: {moved} moves and {pinned} pins kept{dropped}"

    @staticmethod
    def _names(slots: Sequence[PlanSlot]) -> list[tuple[int, str]]:
        return list(slot_names((slot.index, slot.host) for slot in slots).items())
