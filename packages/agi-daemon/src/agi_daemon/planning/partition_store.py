"""The partitions of plans in the store: text in columns, weights as numbers, ids by their marks.

They are the same in every revision of a plan.
"""

from __future__ import annotations

import sqlite3
import zlib
from array import array
from collections.abc import Iterable, Iterator, Sequence

from agi_daemon.planning.named import Bucket, Named
from agi_env.errors import PlanInvalidError
from agi_env.runtime.partition_block import BLOCK, ids_of, mark_of, partitions_of
from agi_env.runtime.partitions import Partition

_SHOWN = 3


def insert(
    connection: sqlite3.Connection, plan: str, named: Named, buckets: Sequence[Bucket]
) -> None:
    """Store the partitions of a new plan."""
    connection.executemany(
        "INSERT INTO plan_blocks (plan, block, columns, weights) VALUES (?, ?, ?, ?)",
        (
            (plan, number, block.columns, zlib.compress(block.weights.tobytes(), level=1))
            for number, block in enumerate(named.blocks)
        ),
    )
    connection.executemany(
        "INSERT INTO plan_marks VALUES (?, ?, ?, ?)",
        (
            (plan, number, marks.tobytes(), positions.tobytes())
            for number, (marks, positions) in enumerate(buckets)
        ),
    )


def partitions(
    connection: sqlite3.Connection, plan: str, blocks: range
) -> Iterator[tuple[int, list[Partition]]]:
    """Some blocks of partitions, each with its number."""
    sql = "SELECT block, columns FROM plan_blocks WHERE plan = ? AND block >= ? AND block < ?"
    span = (plan, blocks.start, blocks.stop)
    for row in connection.execute(sql + " ORDER BY block", span):
        yield row["block"], partitions_of(row["columns"])


def ids(connection: sqlite3.Connection, plan: str) -> Iterator[str]:
    """The ids of all partitions in plan order."""
    sql = "SELECT columns FROM plan_blocks WHERE plan = ? ORDER BY block"
    for row in connection.execute(sql, (plan,)):
        yield from ids_of(row["columns"])


def weights(connection: sqlite3.Connection, plan: str) -> array[float]:
    """The weights of all partitions in plan order."""
    found = array("d")
    sql = "SELECT columns, weights FROM plan_blocks WHERE plan = ? ORDER BY block"
    for row in connection.execute(sql, (plan,)):
        found.extend(_weights(row))
    return found


def block_weights(connection: sqlite3.Connection, plan: str, block: int) -> array[float]:
    """The weights of one block."""
    sql = "SELECT columns, weights FROM plan_blocks WHERE plan = ? AND block = ?"
    return _weights(connection.execute(sql, (plan, block)).fetchone())


def named_at(connection: sqlite3.Connection, plan: str, positions: Iterable[int]) -> dict[int, str]:
    """The ids of some partitions, by their positions."""
    wanted: dict[int, list[int]] = {}
    for position in positions:
        wanted.setdefault(position // BLOCK, []).append(position)
    return {
        position: names[position % BLOCK]
        for block, inside in wanted.items()
        for names in [_ids(connection, plan, block)]
        for position in inside
    }


def positions(connection: sqlite3.Connection, plan: str, wanted: Sequence[str]) -> dict[str, int]:
    """The positions of partitions, by their ids.

    Raises:
        PlanInvalidError: The plan has no partition of some id.
    """
    candidates = _candidates(connection, plan, wanted)
    names = named_at(connection, plan, {each for found in candidates.values() for each in found})
    known = {
        name: position
        for name, found in candidates.items()
        for position in found
        if names[position] == name
    }
    _refuse_unknown([name for name in wanted if name not in known], plan)
    return known


def _candidates(
    connection: sqlite3.Connection, plan: str, wanted: Sequence[str]
) -> dict[str, list[int]]:
    """Positions of partitions whose ids have the same marks as those that are wanted."""
    count = _bucket_count(connection, plan)
    if not count:  # a plan of an earlier version has no marks
        everywhere = {name: position for position, name in enumerate(ids(connection, plan))}
        return {name: [everywhere[name]] for name in wanted if name in everywhere}
    buckets: dict[int, Bucket] = {}
    found: dict[str, list[int]] = {}
    for name in wanted:
        mark = mark_of(name)
        number = mark % count
        if number not in buckets:
            buckets[number] = _bucket(connection, plan, number)
        marks, places = buckets[number]
        found[name] = [place for each, place in zip(marks, places, strict=True) if each == mark]
    return found


def _bucket_count(connection: sqlite3.Connection, plan: str) -> int:
    sql = "SELECT max(bucket) + 1 FROM plan_marks WHERE plan = ?"
    return int(connection.execute(sql, (plan,)).fetchone()[0] or 0)


def _bucket(connection: sqlite3.Connection, plan: str, number: int) -> Bucket:
    sql = "SELECT marks, positions FROM plan_marks WHERE plan = ? AND bucket = ?"
    row = connection.execute(sql, (plan, number)).fetchone()
    marks, places = array("I"), array("I")
    marks.frombytes(row["marks"])
    places.frombytes(row["positions"])
    return marks, places


def _ids(connection: sqlite3.Connection, plan: str, block: int) -> list[str]:
    sql = "SELECT columns FROM plan_blocks WHERE plan = ? AND block = ?"
    return ids_of(connection.execute(sql, (plan, block)).fetchone()["columns"])


def _weights(row: sqlite3.Row) -> array[float]:
    if row["weights"] is None:
        return array("d", [each.weight for each in partitions_of(row["columns"])])
    found = array("d")
    found.frombytes(zlib.decompress(row["weights"]))
    return found


def _refuse_unknown(unknown: Sequence[str], plan: str) -> None:
    if unknown:
        named = ", ".join(map(repr, unknown[:_SHOWN]))
        more = f" and {len(unknown) - _SHOWN} others" if len(unknown) > _SHOWN else ""
        raise PlanInvalidError(
            f"the plan has no partition {named}{more}",
            where=f"plans/{plan}",
            remedy=f"`agi plans partitions plans/{plan}` lists the ids",
        )
