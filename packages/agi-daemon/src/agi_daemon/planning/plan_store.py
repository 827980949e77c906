"""Plans in the store: revisions, with slots apart from what a list shows."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Mapping, Sequence

from attrs import evolve, frozen

from agi_cluster.model.plan import Plan, PlannedPartition
from agi_daemon.planning import partition_store, place_store
from agi_daemon.planning.named import Bucket, Named
from agi_daemon.planning.origin import NamedFacts, PlanOrigin
from agi_daemon.planning.places import PlaceBlock
from agi_daemon.store import pages
from agi_daemon.store.codec import compact, dump, load, plain, structured
from agi_env.errors import PlanNotFoundError
from agi_env.runtime.partition_block import BLOCK
from agi_env.runtime.partitions import Partition


@frozen
class PlanContent:
    """A plan revision, whole."""

    plan: Plan
    partitions: Sequence[Partition]
    assignment: Sequence[int]
    """The slot of each partition, in the same order."""


@frozen(kw_only=True)
class NewPlan:
    """A plan that is not stored yet."""

    plan: Plan
    origin: PlanOrigin
    named: Named
    buckets: Sequence[Bucket]
    places: Sequence[PlaceBlock]


@frozen(kw_only=True)
class Revision:
    """A revision that is not stored yet."""

    plan: Plan
    places: Mapping[int, PlaceBlock]
    """The blocks that are others than in the revision before, by their numbers."""
    shows: int
    """The revision whose places and pins it shows: itself, unless it goes back to another."""
    placed: int
    """The revision that the planner placed and this one descends from."""


def insert(connection: sqlite3.Connection, new: NewPlan) -> None:
    """Store a new plan with its first revision."""
    plan = new.plan
    connection.execute(
        "INSERT INTO plans (id, app, latest, origin) VALUES (?, ?, ?, ?)",
        (plan.id, plan.app, plan.revision, dump(new.origin)),
    )
    partition_store.insert(connection, plan.id, new.named, new.buckets)
    places = dict(enumerate(new.places))
    _insert_revision(connection, Revision(plan=plan, places=places, shows=1, placed=1))


def insert_revision(connection: sqlite3.Connection, revision: Revision) -> None:
    """Store a new revision of a plan as its latest one."""
    _insert_revision(connection, revision)
    plan = revision.plan
    connection.execute("UPDATE plans SET latest = ? WHERE id = ?", (plan.revision, plan.id))


def find(connection: sqlite3.Connection, plan_id: str, revision: int | None) -> Plan:
    """A revision of a plan, the latest when none is named.

    Raises:
        PlanNotFoundError: There is no such plan or revision.
    """
    row = _revision_row(connection, plan_id, revision)
    return structured({**json.loads(row["body"]), "slots": json.loads(row["slots"])}, Plan)


def lineage(connection: sqlite3.Connection, plan_id: str, revision: int) -> tuple[int, int]:
    """The revisions that this one shows, and that the planner placed before it."""
    row = _revision_row(connection, plan_id, revision)
    return int(row["shows"]), int(row["placed"])


def origin(connection: sqlite3.Connection, plan_id: str) -> PlanOrigin | None:
    """What a plan was made from; None for one of an earlier version."""
    sql = "SELECT origin FROM plans WHERE id = ?"
    row = connection.execute(sql, (plan_id,)).fetchone()
    return None if row is None or row["origin"] is None else load(row["origin"], PlanOrigin)


def named_facts(connection: sqlite3.Connection, plan_id: str) -> NamedFacts:
    """What an edit needs of the partitions, without reading the whole origin."""
    keys = ("partitions_digest", "heaviest_id", "heaviest_weight")
    columns = ", ".join(f"json_extract(origin, '$.{key}')" for key in keys)
    sql = f"SELECT {columns} FROM plans WHERE id = ?"  # noqa: S608 - the columns are ours
    digest, name, weight = connection.execute(sql, (plan_id,)).fetchone()
    # A plan of an earlier version has no origin: its partitions are known by its own name.
    return NamedFacts(digest or plan_id, name or "", weight or 0.0)


def revision_of_etag(connection: sqlite3.Connection, plan_id: str, etag: str) -> int | None:
    """The latest revision that has this etag."""
    sql = (
        "SELECT revision FROM plan_revisions WHERE plan = ? AND json_extract(body, '$.etag') = ?"
        " ORDER BY revision DESC LIMIT 1"
    )
    row = connection.execute(sql, (plan_id, etag)).fetchone()
    return None if row is None else int(row["revision"])


def load_content(connection: sqlite3.Connection, plan_id: str, revision: int | None) -> PlanContent:
    """A revision with all of its partitions.

    Raises:
        PlanNotFoundError: There is no such plan or revision.
    """
    plan = find(connection, plan_id, revision)
    blocks = range(-(-plan.partition_count // BLOCK))
    found = partition_store.partitions(connection, plan_id, blocks)
    partitions = [each for _, block in found for each in block]
    return PlanContent(plan, partitions, place_store.slots(connection, plan_id, plan.revision))


def page_of_partitions(
    connection: sqlite3.Connection, plan: Plan, *, start: int, limit: int
) -> list[PlannedPartition]:
    """Some partitions of a revision in plan order, from the place ``start`` on."""
    hosts = {slot.index: slot.host for slot in plan.slots}
    blocks = range(start // BLOCK, -(-(start + limit) // BLOCK))
    found: list[PlannedPartition] = []
    for number, partitions in partition_store.partitions(connection, plan.id, blocks):
        places = place_store.block(connection, plan.id, plan.revision, number)
        first = number * BLOCK
        for offset in range(max(0, start - first), min(len(partitions), start + limit - first)):
            host = hosts[places.slots[offset]]
            found.append(_planned(first + offset, partitions[offset], places, host))
    return found


def page(
    connection: sqlite3.Connection, *, limit: int, token: str, app: str
) -> tuple[list[Plan], str]:
    """A page of plans at their latest revisions, newest first and without slots; the next token."""
    where = [("app = ?", app)] if app else []
    columns = "number, id, latest"
    rows, following = pages.newest_first(
        connection, "plans", limit=limit, token=token, where=where, columns=columns
    )
    return [_head(connection, row["id"], row["latest"]) for row in rows], following


def page_of_revisions(
    connection: sqlite3.Connection, plan_id: str, *, limit: int, token: str
) -> tuple[list[Plan], str]:
    """A page of a plan's revisions, newest first and without slots, and the next token.

    Raises:
        PlanNotFoundError: There is no such plan.
    """
    latest = _head(connection, plan_id, None).revision
    before = int(pages.position_of(token, "revisions", plan_id) or latest + 1)
    numbers = range(before - 1, max(0, before - 1 - limit), -1)
    following = pages.page_token(numbers[-1], "revisions", plan_id) if before - 1 > limit else ""
    return [_head(connection, plan_id, number) for number in numbers], following


def _insert_revision(connection: sqlite3.Connection, new: Revision) -> None:
    plan = new.plan
    body = plain(evolve(plan, slots=()))
    del body["slots"]
    connection.execute(
        "INSERT INTO plan_revisions (plan, revision, shows, placed, body, slots)"
        " VALUES (?, ?, ?, ?, ?, ?)",
        (plan.id, plan.revision, new.shows, new.placed, compact(body), dump(plan.slots)),
    )
    place_store.insert(connection, plan.id, plan.revision, new.places)


def _head(connection: sqlite3.Connection, plan_id: str, revision: int | None) -> Plan:
    row = _revision_row(connection, plan_id, revision, columns="body")
    return structured({**json.loads(row["body"]), "slots": []}, Plan)


def _planned(index: int, partition: Partition, places: PlaceBlock, host: str) -> PlannedPartition:
    offset = index % BLOCK
    return PlannedPartition(
        index=index,
        id=partition.id,
        label=partition.label,
        weight=partition.weight,
        payload=partition.payload,
        slot=places.slots[offset],
        host=host,
        pinned=offset in places.pins,
    )


def _revision_row(
    connection: sqlite3.Connection, plan_id: str, revision: int | None, *, columns: str = "*"
) -> sqlite3.Row:
    latest = "SELECT latest FROM plans WHERE id = ?1"
    sql = (
        f"SELECT {columns} FROM plan_revisions"  # noqa: S608 - columns are ours
        f" WHERE plan = ?1 AND revision = coalesce(?2, ({latest}))"
    )
    row: sqlite3.Row | None = connection.execute(sql, (plan_id, revision)).fetchone()
    if row is None:
        name = plan_id if revision is None else f"{plan_id}@{revision}"
        raise PlanNotFoundError(f"there is no plan {name}", metadata={"plan": name})
    return row
