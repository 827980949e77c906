"""Where the partitions of a plan are, in the store: each revision has the blocks it changed."""

from __future__ import annotations

import hashlib
import sqlite3
from array import array
from collections.abc import Mapping

from agi_daemon.planning.places import PlaceBlock
from agi_env.runtime.partition_block import BLOCK


def insert(
    connection: sqlite3.Connection, plan: str, revision: int, blocks: Mapping[int, PlaceBlock]
) -> None:
    """Store the blocks that a revision has otherwise than the one before."""
    connection.executemany(
        "INSERT INTO plan_places (plan, block, revision, digest, slots, pins)"
        " VALUES (?, ?, ?, ?, ?, ?)",
        (
            (plan, block, revision, places.digest, *places.packed())
            for block, places in blocks.items()
        ),
    )


def block(connection: sqlite3.Connection, plan: str, revision: int, number: int) -> PlaceBlock:
    """A block as a revision has it."""
    sql = (
        "SELECT slots, pins FROM plan_places WHERE plan = ? AND block = ? AND revision <= ?"
        " ORDER BY revision DESC LIMIT 1"
    )
    row = connection.execute(sql, (plan, number, revision)).fetchone()
    return PlaceBlock.unpacked(row["slots"], row["pins"])


def slots(connection: sqlite3.Connection, plan: str, revision: int) -> array[int]:
    """The slot of every partition in plan order."""
    sql = (
        "SELECT block, max(revision), slots, pins FROM plan_places"
        " WHERE plan = ? AND revision <= ? GROUP BY block ORDER BY block"
    )
    found = array("I")
    for row in connection.execute(sql, (plan, revision)):
        found.extend(PlaceBlock.unpacked(row["slots"], b"").slots)
    return found


def pins(connection: sqlite3.Connection, plan: str, revision: int) -> list[int]:
    """The positions of all partitions that are pinned."""
    sql = (
        "SELECT block, max(revision), pins FROM plan_places"
        " WHERE plan = ? AND revision <= ? GROUP BY block ORDER BY block"
    )
    found: list[int] = []
    for row in connection.execute(sql, (plan, revision)):
        offsets = array("I")
        offsets.frombytes(row["pins"])
        found += [row["block"] * BLOCK + offset for offset in offsets]
    return found


def changed_between(
    connection: sqlite3.Connection, plan: str, earlier: int, later: int
) -> list[int]:
    """The blocks that may be others in the later revision, in their order."""
    sql = "SELECT DISTINCT block FROM plan_places WHERE plan = ? AND revision > ? AND revision <= ?"
    rows = connection.execute(sql + " ORDER BY block", (plan, earlier, later))
    return [int(row["block"]) for row in rows]


def digest(
    connection: sqlite3.Connection, plan: str, revision: int, changed: Mapping[int, PlaceBlock]
) -> str:
    """The sha256 of all places of a revision, with some blocks otherwise."""
    sql = (
        "SELECT block, max(revision), digest FROM plan_places"
        " WHERE plan = ? AND revision <= ? GROUP BY block"
    )
    rows = connection.execute(sql, (plan, revision))
    digests = {row["block"]: row["digest"] for row in rows}
    digests |= {number: places.digest for number, places in changed.items()}
    return digest_of_blocks([digests[number] for number in sorted(digests)])


def digest_of_blocks(digests: list[bytes]) -> str:
    """The sha256 of places, from those of their blocks."""
    return hashlib.sha256(b"".join(digests)).hexdigest()
