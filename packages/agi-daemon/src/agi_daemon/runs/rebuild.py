"""Rebuilding: what the directories of runs hold, taken into a store that does not know it.

It may be repeated, and it never takes away: a settled run of the store stays as it is, an unsettled
one that the store has at its runner is left to the daemon, which joins the runner.
"""

from __future__ import annotations

import asyncio
import sqlite3
from collections import Counter
from collections.abc import Iterable
from enum import Enum
from typing import Any

from attrs import evolve, field, mutable

from agi_cluster.model.run import RunState
from agi_daemon.events import Events, Fact
from agi_daemon.hosts.hosts import Hosts
from agi_daemon.log import get_log
from agi_daemon.planning import restored_plan
from agi_daemon.planning.plans import plan_reference
from agi_daemon.runs import run_directory, run_store
from agi_daemon.runs.adoption import obstacle
from agi_daemon.runs.directories import found_runs
from agi_daemon.runs.journal_copy import JournalCopy
from agi_daemon.runs.record import RunRecord
from agi_daemon.runs.restorable import Course, Restorable
from agi_daemon.runs.run_keys import RunKeys
from agi_daemon.store.store import Store
from agi_env.errors import AgiError, RunNotFoundError, StateUnreadableError

_log = get_log(__name__)

_BATCH = 500
_WITH_A_RUNNER = (RunState.RUNNING, RunState.CANCELLING)


class Outcome(Enum):
    """What became of one directory."""

    RESTORED = "restored"
    """The run is settled, and the store has it now."""
    ADOPTED = "adopted"
    """The run is not settled; the next daemon joins its runner or takes it up."""
    KNOWN = "known"
    """The store knew as much, or more."""
    LEFT = "left"
    """It cannot be restored; the reason is told."""


@mutable
class Rebuilt:
    """What a rebuild came to."""

    outcomes: Counter[Outcome] = field(factory=Counter)
    left: dict[str, str] = field(factory=dict)
    """Why runs were left out, and hosts that could not be asked: by name."""

    def note(self, name: str, outcome: Outcome, reason: str = "") -> None:
        """Count what became of one directory."""
        self.outcomes[outcome] += 1
        if reason:
            self.left[name] = reason

    def to_dict(self) -> dict[str, Any]:
        """For programs."""
        counts = {outcome.value: self.outcomes[outcome] for outcome in Outcome}
        return {**counts, "reasons": dict(self.left)}


class Rebuild:
    """Takes the runs of all hosts into a store. No daemon may be serving it.

    Args:
        store: Where they go.
        events: Those of that store.
        hosts: This machine and the hosts that the store knows: only their directories are read.
        keys: Those of the daemon's own runs.
    """

    def __init__(self, store: Store, events: Events, hosts: Hosts, keys: RunKeys) -> None:
        self._store = store
        self._events = events
        self._hosts = hosts
        self._keys = keys
        self.done = Rebuilt()
        """What it came to so far."""

    async def take_in(self) -> Rebuilt:
        """Read every directory and take in what the store lacks, the oldest run first."""
        found: dict[str, Restorable] = {}
        reading = (self._read(address, found) for address in self._hosts.addresses())
        await asyncio.gather(*reading)
        told = [each for each in found.values() if each.record is not None]
        for each in sorted(told, key=lambda one: one.accepted):
            try:
                await self._take(each)
            except AgiError as error:
                self.done.note(each.run_id, Outcome.LEFT, str(error))
        return self.done

    async def _read(self, address: str, found: dict[str, Restorable]) -> None:
        try:
            async for each in found_runs(self._hosts.transport(address)):
                try:
                    found.setdefault(each.run_id, Restorable(each.run_id)).learn(each)
                except StateUnreadableError as error:
                    self.done.note(each.run_id, Outcome.LEFT, str(error))
        except AgiError as error:
            # What the others hold is worth as much; the person reads which host said nothing.
            self.done.left[f"hosts/{address}"] = str(error)

    async def _take(self, each: Restorable) -> None:
        known = self._known(each.run_id)
        if known is not None and not _behind(known, each):
            self.done.note(each.run_id, Outcome.KNOWN)
            return
        if not each.settled and (reason := self._obstacle(each)):
            self.done.note(each.run_id, Outcome.LEFT, reason)
            return
        await self._restore(each, known)
        self.done.note(each.run_id, Outcome.RESTORED if each.settled else Outcome.ADOPTED)

    def _known(self, run_id: str) -> RunRecord | None:
        try:
            return self._store.read(lambda db: run_store.find(db, run_id))
        except RunNotFoundError:
            return None

    def _obstacle(self, each: Restorable) -> str:
        assert each.record is not None
        known, keys = self._hosts.addresses(), self._keys.held()
        return obstacle(each.record, known, keys, self._hosts.transport)

    async def _restore(self, each: Restorable, known: RunRecord | None) -> None:
        course, verdict = each.course, each.verdict
        record = each.record
        assert record is not None
        await self._store.write(lambda tx: self._begin(tx, record, course, known))
        if course is not None:
            await self._copy(course)
        if verdict is not None:
            await self._store.write(lambda tx: self._end(tx, verdict))

    def _begin(
        self,
        connection: sqlite3.Connection,
        record: RunRecord,
        course: Course | None,
        known: RunRecord | None,
    ) -> None:
        if course is not None:
            restored_plan.put(connection, course.content, record.resolution)
        elif not restored_plan.has(connection, *plan_reference(record.run.plan)):
            record = evolve(record, run=evolve(record.run, plan=""))
        if known is None:
            run_store.insert(connection, record)
        else:
            run_store.update(connection, evolve(record, number=known.number))
        fact = Fact(
            kind="rebuilt",
            data={"app": record.run.app, "mode": int(record.run.mode)},
            at=record.run.create_time.timestamp(),
        )
        self._events.append(connection, record.subject, [fact])

    async def _copy(self, course: Course) -> None:
        """Fold the journal, as the daemon that followed the run did."""
        run_id = course.record.run.id
        record = self._store.read(lambda db: run_store.find(db, run_id))
        copy = JournalCopy(self._store, self._events, course.content, run_id)
        entries = [each.to_dict() for each in course.records]
        for start in range(0, len(entries), _BATCH):
            batch = entries[start : start + _BATCH]
            result = await self._result(record, batch)
            record = await copy.take(record, batch, result)

    async def _result(self, record: RunRecord, batch: Iterable[dict[str, Any]]) -> Any:
        """What ``reduce`` returned, from the published directory, as far as that is there."""
        paths = [str(each["path"]) for each in batch if each["kind"] == "published"]
        if not paths:
            return record.run.result
        run = evolve(record.run, paths=evolve(record.run.paths, published=paths[-1]))
        try:
            transport = self._hosts.transport(record.runner_host)
            return await run_directory.read_result(transport, evolve(record, run=run))
        except AgiError as error:
            # The run is what its journal says, also where its results were moved or deleted.
            _log.warning("a result is not there", run=run.id, reason=str(error))
            self.done.left[run.id] = f"its result cannot be read: {error.what}"
            return None

    def _end(self, connection: sqlite3.Connection, verdict: RunRecord) -> None:
        """Settle a run as the daemon did, over what its journal says."""
        stored = run_store.find(connection, verdict.run.id)
        run = evolve(verdict.run, plan=stored.run.plan)
        settled = evolve(stored, run=run, epoch=max(stored.epoch, verdict.epoch))
        run_store.update(connection, settled)
        error = run.error
        told = {"code": error.code, "metadata": error.to_metadata()} if error else None
        data = {"state": run.state.value, "error": told}
        at = run.end_time.timestamp() if run.end_time else run.create_time.timestamp()
        fact = Fact(kind="settled", data=data, verbosity=0, at=at)
        self._events.append(connection, verdict.subject, [fact])


def _behind(known: RunRecord, each: Restorable) -> bool:
    """Whether the store is of a time before the run had this runner: then it would run twice."""
    if known.run.state.settled:
        return False
    if each.verdict is not None:
        return True
    course = each.course
    if known.run.state in _WITH_A_RUNNER or course is None:
        return False
    return bool(course.records) and known.run.plan_digest != course.record.run.plan_digest
