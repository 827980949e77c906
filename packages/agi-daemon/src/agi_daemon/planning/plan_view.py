"""A plan revision as far as differences of two plans look at it."""

from __future__ import annotations

import sqlite3
from array import array
from collections.abc import Mapping, Sequence, Set

import attrs

from agi_cluster.model.plan import Plan
from agi_daemon.planning import partition_store, place_store
from agi_daemon.planning.named import Named
from agi_env.runtime.partition_block import ids_of


@attrs.frozen(kw_only=True)
class PlanView:
    """Who is where.

    Attributes:
        name: The revision.
        ids: The id of every partition; no id occurs twice.
        weights: Their weights, in the same order.
        assignment: The index of the slot of every partition, in the same order.
        names: ``host/rank`` for every slot, by its index.
        pins: The positions of those that are pinned.
        finish: When the last slot is done.
    """

    name: str = ""
    ids: Sequence[str]
    weights: Sequence[float]
    assignment: Sequence[int]
    names: Mapping[int, str]
    pins: Set[int] = frozenset()
    finish: float = 0.0

    @classmethod
    def read(cls, connection: sqlite3.Connection, plan: Plan) -> PlanView:
        """The view of a revision in the store."""
        return cls(
            name=plan.name,
            ids=list(partition_store.ids(connection, plan.id)),
            weights=partition_store.weights(connection, plan.id),
            assignment=place_store.slots(connection, plan.id, plan.revision),
            names=plan.slot_names,
            pins=frozenset(place_store.pins(connection, plan.id, plan.revision)),
            finish=plan.predicted_finish,
        )

    @classmethod
    def named(cls, named: Named) -> PlanView:
        """What an app named, placed nowhere in particular."""
        ids = [name for block in named.blocks for name in ids_of(block.columns)]
        nowhere = array("I", bytes(4 * len(ids)))
        return cls(ids=ids, weights=named.weights, assignment=nowhere, names={0: ""})

    def place(self, position: int) -> tuple[str, bool]:
        """The name of a partition's slot, and whether it is pinned there."""
        return self.names[self.assignment[position]], position in self.pins
