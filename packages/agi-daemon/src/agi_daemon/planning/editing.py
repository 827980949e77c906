"""Editing of stored plans: one edit of a plan at a time, based on its latest revision."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from weakref import WeakValueDictionary

from agi_cluster.model.plan import Plan
from agi_cluster.model.plan_edit import PlanEdit, Rebalance
from agi_daemon.planning import plan_store
from agi_daemon.planning.diff import compare_revisions
from agi_daemon.planning.drafting import Drafting
from agi_daemon.planning.editor import Editor
from agi_daemon.planning.plan_store import Revision
from agi_daemon.planning.seats import seats_of
from agi_daemon.store.store import Store
from agi_env.errors import EtagMismatchError, PlanInvalidError

_TOLD = 20
"""Differences that a refusal looks at; it names the first of them."""


class Editing:
    """Makes new revisions of stored plans."""

    def __init__(self, store: Store, drafting: Drafting) -> None:
        self._store = store
        self._drafting = drafting
        # A lock is there as long as somebody holds it or waits for it.
        self._locks: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()

    @asynccontextmanager
    async def alone(self, plan_id: str) -> AsyncIterator[None]:
        """Be the only one who edits this plan."""
        lock = self._locks.setdefault(plan_id, asyncio.Lock())
        async with lock:
            yield

    def latest(self, plan_id: str, based_on: int | None, etag: str) -> Plan:
        """The latest revision, if the edit is based on it.

        Raises:
            PlanNotFoundError: There is no such plan, or not the revision that it is based on.
            EtagMismatchError: It is based on an earlier one; the error says what changed since.
        """
        latest = self._store.read(lambda db: plan_store.find(db, plan_id, None))
        if based_on is not None and based_on != latest.revision:
            raise self._stale(latest, based_on)
        if etag and etag != latest.etag:
            known = self._store.read(lambda db: plan_store.revision_of_etag(db, plan_id, etag))
            raise self._stale(latest, known)
        return latest

    async def revised(self, plan: Plan, edits: Sequence[PlanEdit]) -> Revision:
        """The revision that some edits make of the latest one.

        Raises:
            PlanInvalidError: An edit names what is not there.
        """
        if not edits:
            raise PlanInvalidError("no edit is given", where=plan.name, remedy="Give one at least")
        async with self._store.apart() as connection:
            editor = Editor(connection, plan)
            for edit in edits:
                if isinstance(edit, Rebalance):
                    await self._rebalance(editor, edit)
                else:
                    await asyncio.to_thread(editor.apply, edit)
            return await asyncio.to_thread(editor.revision)

    async def _rebalance(self, editor: Editor, edit: Rebalance) -> None:
        plan, without = editor.plan, frozenset(edit.without)
        unknown = without - {slot.host for slot in plan.slots}
        if unknown:
            raise PlanInvalidError(
                f"the plan has no host {min(unknown)!r}", where=plan.name, remedy="Leave it out"
            )
        weights, pins = await asyncio.to_thread(lambda: (editor.weights, editor.pins))
        gone = {slot.index for slot in plan.slots if slot.host in without}
        stuck = [position for position, slot in pins.items() if slot in gone]
        if stuck:
            raise PlanInvalidError(
                f"{editor.id_at(stuck[0])!r} is pinned to a host that is left out",
                where=plan.name,
                remedy="Unpin it, or move it first",
            )
        placement = await self._drafting.rebalanced(plan, weights, pins, without)
        await asyncio.to_thread(editor.take, placement, seats_of(plan.slots), edit.without)

    def _stale(self, latest: Plan, base: int | None) -> EtagMismatchError:
        place = f"plans/{latest.id}"
        facts = {"plan": latest.name, "etag": latest.etag, "revision": str(latest.revision)}
        if base is None:
            return EtagMismatchError(
                "no revision has the etag that the edit is based on", where=place, metadata=facts
            )
        before = self._store.read(lambda db: plan_store.find(db, latest.id, base))
        diff = self._store.read(lambda db: compare_revisions(db, before, latest, _TOLD))
        return EtagMismatchError(
            f"the edit is based on revision {base}, and the latest is {latest.revision}"
            f" ({latest.change}); changed since: {diff.words}",
            where=place,
            remedy=f"`agi plans diff {before.name} {latest.name}` shows it; repeat the edit on the"
            " latest revision",
            metadata={**facts, "base_revision": str(base), "changed": diff.words},
        )
