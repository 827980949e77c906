"""Plans in the store: partitions in columns, a block a row; assignments as arrays."""

from __future__ import annotations

import json
import sqlite3
import zlib
from array import array
from collections.abc import Sequence
from typing import Any

from attrs import frozen

from agi_cluster.model.plan import Plan, PlannedPartition
from agi_daemon.store import pages
from agi_daemon.store.codec import dump, load
from agi_env.errors import PlanNotFoundError
from agi_env.runtime.partitions import Partition

BLOCK = 1000
"""Partitions in a block."""


@frozen
class PlanContent:
    """A plan revision, whole."""

    plan: Plan
    partitions: Sequence[Partition]
    assignment: Sequence[int]
    """The slot of each partition, in the same order."""


def insert(connection: sqlite3.Connection, content: PlanContent) -> None:
    """Store a new plan with its first revision."""
    plan = content.plan
    connection.execute(
        "INSERT INTO plans (id, app, latest) VALUES (?, ?, ?)", (plan.id, plan.app, plan.revision)
    )
    connection.executemany(
        "INSERT INTO plan_blocks VALUES (?, ?, ?)",
        [
            (plan.id, number, _pack_block(content.partitions[start : start + BLOCK]))
            for number, start in enumerate(range(0, len(content.partitions), BLOCK))
        ],
    )
    connection.execute(
        "INSERT INTO plan_revisions VALUES (?, ?, ?, ?)",
        (plan.id, plan.revision, dump(plan), _pack_assignment(content.assignment)),
    )


def find(connection: sqlite3.Connection, plan_id: str, revision: int | None) -> Plan:
    """A revision of a plan, the latest when none is named.

    Raises:
        PlanNotFoundError: There is no such plan or revision.
    """
    return load(_revision_row(connection, plan_id, revision)["body"], Plan)


def load_content(connection: sqlite3.Connection, plan_id: str, revision: int | None) -> PlanContent:
    """A revision with all of its partitions.

    Raises:
        PlanNotFoundError: There is no such plan or revision.
    """
    row = _revision_row(connection, plan_id, revision)
    sql = "SELECT columns FROM plan_blocks WHERE plan = ? ORDER BY block"
    blocks = connection.execute(sql, (plan_id,)).fetchall()
    partitions = [each for block in blocks for each in _unpack_block(block["columns"])]
    return PlanContent(load(row["body"], Plan), partitions, _unpack_assignment(row["assignment"]))


def page_of_partitions(
    connection: sqlite3.Connection, plan_id: str, revision: int | None, *, start: int, limit: int
) -> list[PlannedPartition]:
    """Some partitions of a revision in plan order, from the place ``start`` on.

    Raises:
        PlanNotFoundError: There is no such plan or revision.
    """
    row = _revision_row(connection, plan_id, revision)
    plan = load(row["body"], Plan)
    hosts = {slot.index: slot.host for slot in plan.slots}
    assignment = _unpack_assignment(row["assignment"])
    sql = "SELECT block, columns FROM plan_blocks WHERE plan = ? AND block BETWEEN ? AND ?"
    span = (plan_id, start // BLOCK, (start + limit - 1) // BLOCK)
    found: list[PlannedPartition] = []
    for block in connection.execute(sql + " ORDER BY block", span):
        for index, each in enumerate(_unpack_block(block["columns"]), block["block"] * BLOCK):
            if start <= index < start + limit:
                slot = assignment[index]
                found.append(_planned(index, each, slot, hosts[slot]))
    return found


def page(
    connection: sqlite3.Connection, *, limit: int, token: str, app: str
) -> tuple[list[Plan], str]:
    """A page of plans at their latest revisions, newest first, and the next token."""
    where = [("app = ?", app)] if app else []
    rows, following = pages.newest_first(connection, "plans", limit=limit, token=token, where=where)
    return [find(connection, row["id"], row["latest"]) for row in rows], following


def _planned(index: int, partition: Partition, slot: int, host: str) -> PlannedPartition:
    return PlannedPartition(
        index=index,
        id=partition.id,
        label=partition.label,
        weight=partition.weight,
        payload=partition.payload,
        slot=slot,
        host=host,
    )


def _revision_row(
    connection: sqlite3.Connection, plan_id: str, revision: int | None
) -> sqlite3.Row:
    latest = "SELECT latest FROM plans WHERE id = ?1"
    sql = f"SELECT * FROM plan_revisions WHERE plan = ?1 AND revision = coalesce(?2, ({latest}))"  # noqa: S608
    row: sqlite3.Row | None = connection.execute(sql, (plan_id, revision)).fetchone()
    if row is None:
        name = plan_id if revision is None else f"{plan_id}@{revision}"
        raise PlanNotFoundError(f"there is no plan {name}", metadata={"plan": name})
    return row


def _pack_block(partitions: Sequence[Partition]) -> bytes:
    columns: dict[str, list[Any]] = {
        "id": [each.id for each in partitions],
        "label": [each.label for each in partitions],
        "weight": [each.weight for each in partitions],
        "payload": [each.payload for each in partitions],
    }
    return zlib.compress(json.dumps(columns).encode(), level=1)


def _unpack_block(packed: bytes) -> list[Partition]:
    columns = json.loads(zlib.decompress(packed))
    rows = zip(columns["id"], columns["label"], columns["weight"], columns["payload"], strict=True)
    return [Partition(*row) for row in rows]


def _pack_assignment(assignment: Sequence[int]) -> bytes:
    return zlib.compress(array("I", assignment).tobytes(), level=1)


def _unpack_assignment(packed: bytes) -> array[int]:
    slots = array("I")
    slots.frombytes(zlib.decompress(packed))
    return slots
