"""Runs in the store."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Sequence
from functools import lru_cache

from attrs import evolve

from agi_cluster.model.run import Run, RunPartition, RunState
from agi_daemon.runs.record import RunRecord
from agi_daemon.store import pages
from agi_daemon.store.codec import dump, load
from agi_env.errors import RunNotFoundError

_REMEMBERED = 256
_LARGEST_REMEMBERED = 16 * 1024
"""Runs are asked for again and again while they stay as they are: the values of this many bodies,
of at most so many characters, are kept. What a body says never changes, so none grows stale."""


def insert(connection: sqlite3.Connection, record: RunRecord) -> RunRecord:
    """Store a new run and give it its number."""
    run = record.run
    newest = connection.execute("SELECT max(number) FROM runs").fetchone()[0]
    numbered = evolve(record, number=int(newest or 0) + 1)
    connection.execute(
        "INSERT INTO runs (number, id, app, state, settled, body) VALUES (?, ?, ?, ?, ?, ?)",
        (numbered.number, run.id, run.app, run.state.value, run.state.settled, dump(numbered)),
    )
    return numbered


def update(connection: sqlite3.Connection, record: RunRecord) -> None:
    """Store a run as it is now."""
    run = record.run
    connection.execute(
        "UPDATE runs SET state = ?, settled = ?, body = ? WHERE id = ?",
        (run.state.value, run.state.settled, dump(record), run.id),
    )


def find(connection: sqlite3.Connection, run_id: str) -> RunRecord:
    """The run of this id.

    Raises:
        RunNotFoundError: There is none.
    """
    row = connection.execute("SELECT body FROM runs WHERE id = ?", (run_id,)).fetchone()
    if row is None:
        raise RunNotFoundError(f"there is no run {run_id}", metadata={"run": run_id})
    return _record(row["body"])


def unsettled(connection: sqlite3.Connection) -> list[RunRecord]:
    """All runs that are not settled, oldest first."""
    rows = connection.execute("SELECT body FROM runs WHERE NOT settled ORDER BY number")
    return [_record(row["body"]) for row in rows]


def count_unsettled(connection: sqlite3.Connection) -> int:
    """How many runs are not settled."""
    return int(connection.execute("SELECT count(*) FROM runs WHERE NOT settled").fetchone()[0])


def page(
    connection: sqlite3.Connection,
    *,
    limit: int,
    token: str,
    app: str,
    states: Sequence[RunState],
) -> tuple[list[Run], str]:
    """A page of runs, newest first and without their results, and the next token."""
    where: list[tuple[str, object]] = [("app = ?", app)] if app else []
    if states:
        names = ", ".join(f"'{state.value}'" for state in states)
        where.append((f"state IN ({names}) AND ?", 1))
    rows, following = pages.newest_first(connection, "runs", limit=limit, token=token, where=where)
    return [_summary(row["body"]) for row in rows], following


def put_partitions(
    connection: sqlite3.Connection, run_id: str, partitions: Iterable[RunPartition]
) -> None:
    """Store what is known of some partitions of a run."""
    connection.executemany(
        "INSERT OR REPLACE INTO run_partitions VALUES (?, ?, ?)",
        [(run_id, each.id, dump(each)) for each in partitions],
    )


def partitions(
    connection: sqlite3.Connection, run_id: str, ids: Sequence[str] | None = None
) -> dict[str, RunPartition]:
    """What is known of partitions that were begun, by id; of these ids, or of all."""
    sql = "SELECT body FROM run_partitions WHERE run = ?"
    if ids is None:
        rows = connection.execute(sql, (run_id,)).fetchall()
    else:
        each = sql + " AND partition = ?"
        found = (connection.execute(each, (run_id, one)).fetchone() for one in ids)
        rows = [row for row in found if row is not None]
    known = [load(row["body"], RunPartition) for row in rows]
    return {partition.id: partition for partition in known}


def _record(body: str) -> RunRecord:
    small = len(body) <= _LARGEST_REMEMBERED
    return _remembered_record(body) if small else load(body, RunRecord)


def _summary(body: str) -> Run:
    small = len(body) <= _LARGEST_REMEMBERED
    return _remembered_summary(body) if small else _without_result(body)


def _without_result(body: str) -> Run:
    return evolve(load(body, RunRecord).run, result=None)


@lru_cache(_REMEMBERED)
def _remembered_record(body: str) -> RunRecord:
    return load(body, RunRecord)


@lru_cache(_REMEMBERED)
def _remembered_summary(body: str) -> Run:
    return _without_result(body)
