"""A plan revision from the directory of a run that executed it, as the store keeps plans."""

from __future__ import annotations

import sqlite3
from array import array

from agi_cluster.model.requests import CreatePlan
from agi_daemon.apps.resolution import Resolution
from agi_daemon.planning import plan_store
from agi_daemon.planning.named import Named
from agi_daemon.planning.origin import PlanOrigin
from agi_daemon.planning.places import place_blocks
from agi_daemon.planning.plan_store import NewPlan, PlanContent, Revision
from agi_env.errors import PlanNotFoundError


def put(connection: sqlite3.Connection, content: PlanContent, resolution: Resolution) -> None:
    """Store a revision unless it is there.

    Pins and the revisions that no run executed are in no directory: they come from a backup.
    """
    plan = content.plan
    if has(connection, plan.id, plan.revision):
        return
    new = _new_plan(content, resolution)
    if has(connection, plan.id, None):
        places = dict(enumerate(new.places))
        own = Revision(plan=plan, places=places, shows=plan.revision, placed=plan.revision)
        plan_store.insert_revision(connection, own)
    else:
        plan_store.insert(connection, new)


def has(connection: sqlite3.Connection, plan_id: str, revision: int | None) -> bool:
    """Whether there is such a plan, in this revision or, if none is named, in any."""
    try:
        plan_store.find(connection, plan_id, revision)
    except PlanNotFoundError:
        return False
    return True


def _new_plan(content: PlanContent, resolution: Resolution) -> NewPlan:
    named = Named.of(content.partitions)
    heaviest_id, heaviest = named.heaviest
    request = CreatePlan(
        app=resolution.app_path,
        selection=resolution.selection,
        mode=resolution.mode,
        args=resolution.args,
    )
    origin = PlanOrigin(
        request=request,
        resolution=resolution,
        partitions_digest=named.digest,
        heaviest_id=heaviest_id,
        heaviest_weight=heaviest,
    )
    return NewPlan(
        plan=content.plan,
        origin=origin,
        named=named,
        buckets=named.buckets(),
        places=place_blocks(array("I", content.assignment)),
    )
