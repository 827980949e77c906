"""Copying a run's journal into the store, a batch a transaction, each record exactly once."""

from __future__ import annotations

import sqlite3
from collections.abc import Collection, Mapping, Sequence
from typing import Any

from attrs import evolve

from agi_cluster.model.run import PartitionState, RunPartition, RunState
from agi_daemon.events import Events
from agi_daemon.planning.plan_store import PlanContent
from agi_daemon.runs import run_store
from agi_daemon.runs.absorb import Absorbed, Place, absorb
from agi_daemon.runs.record import RunRecord
from agi_daemon.store.store import Store

RUNNING = PartitionState.RUNNING
_ENDS_WHAT_RUNS = frozenset({"runner_started", "settled"})
"""After these records no partition is being executed that was before."""
_ENDS_WHAT_A_SLOT_RUNS = frozenset({"slot_lost", "slot_given_up"})
"""After these records no partition of their slot is being executed that was before."""


class JournalCopy:
    """The copy of one run's journal, and what is known of its partitions."""

    def __init__(self, store: Store, events: Events, content: PlanContent, run_id: str) -> None:
        self._store = store
        self._events = events
        self._places = {
            partition.id: Place(partition.label, partition.weight, slot)
            for partition, slot in zip(content.partitions, content.assignment, strict=True)
        }
        self._known = store.read(lambda db: run_store.partitions(db, run_id))

    async def take(
        self,
        record: RunRecord,
        entries: Sequence[Mapping[str, Any]],
        result: Any = None,
        owed: Collection[str] = (),
    ) -> RunRecord:
        """Store what a batch of journal records changes; return the run as it is then.

        Args:
            record: The run before the batch.
            entries: Records of the journal; those that were copied before are passed over.
            result: What ``reduce`` returned, once the run is settled.
            owed: The hosts that may have to be cleared up if the batch settles the run.
        """
        before = record
        absorbed: list[Absorbed] = []
        changed: set[str] = set()
        for entry in entries:
            if int(entry["seq"]) > record.journal_seq:
                one = absorb(record, entry, self._places, self._known.get(entry.get("id", "")))
                record = one.record
                absorbed.append(one)
                changed |= self._learn(one)
                if one.fact.kind in _ENDS_WHAT_A_SLOT_RUNS:
                    record = self._counted(record)
        record = evolve(record, run=evolve(record.run, result=result))
        if record.run.progress.succeeded > before.run.progress.succeeded:
            record = evolve(record, fruitless_starts=0)
        partitions = [self._known[each] for each in changed]
        debts = owed if record.run.state.settled else ()

        def work(connection: sqlite3.Connection) -> None:
            self._write(connection, record, absorbed, partitions)
            run_store.owe(connection, record.run.id, debts)

        await self._store.keep(work)
        self._events.announce(record.subject)
        return record

    def _learn(self, one: Absorbed) -> set[str]:
        """Take note of what a record says of partitions; return the ids of those."""
        if one.partition is not None:
            self._known[one.partition.id] = one.partition
            return {one.partition.id}
        kind = one.fact.kind
        if kind not in _ENDS_WHAT_RUNS | _ENDS_WHAT_A_SLOT_RUNS:
            return set()
        running = {
            each
            for each, known in self._known.items()
            if known.state is RUNNING
            and (kind in _ENDS_WHAT_RUNS or known.slot == one.fact.data["slot"])
        }
        for each in running:
            self._known[each] = evolve(self._known[each], state=PartitionState.WAITING)
        return running

    def _counted(self, record: RunRecord) -> RunRecord:
        running = sum(known.state is RUNNING for known in self._known.values())
        progress = evolve(record.run.progress, running=running)
        return evolve(record, run=evolve(record.run, progress=progress))

    def _write(
        self,
        connection: sqlite3.Connection,
        record: RunRecord,
        absorbed: Sequence[Absorbed],
        partitions: Sequence[RunPartition],
    ) -> None:
        # Whether the run shall be stopped is said by others meanwhile: the store has the last word.
        stored = run_store.find(connection, record.run.id)
        run_store.update(connection, keeping_requests(record, stored))
        run_store.put_partitions(connection, record.run.id, partitions)
        self._events.append(connection, record.subject, [one.fact for one in absorbed])


def keeping_requests(record: RunRecord, stored: RunRecord) -> RunRecord:
    """The record with what callers asked of the run since it was read."""
    if record.run.state.settled:
        return evolve(record, run=evolve(record.run, target=stored.run.target))
    stopping = stored.run.target is RunState.CANCELLED and record.run.state is RunState.RUNNING
    run = evolve(
        record.run,
        target=stored.run.target,
        state=RunState.CANCELLING if stopping else record.run.state,
    )
    return evolve(record, run=run, cancel_grace=stored.cancel_grace)
