"""Runs in the store."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable, Sequence
from datetime import datetime
from functools import lru_cache

from attrs import evolve

from agi_cluster.model.run import Run, RunPartition, RunState
from agi_daemon.runs.record import RunRecord
from agi_daemon.store import pages
from agi_daemon.store.codec import compact, dump, load, plain, structured
from agi_env.errors import RunNotFoundError

_NAMED = "id IN (SELECT value FROM json_each(?))"
_REMEMBERED = 256
_LARGEST_REMEMBERED = 16 * 1024
"""Runs are asked for again and again while they stay as they are: the values of this many texts,
of at most so many characters, are kept. What a text says never changes, so none grows stale."""


def insert(connection: sqlite3.Connection, record: RunRecord) -> RunRecord:
    """Store a new run and give it its number."""
    newest = connection.execute("SELECT max(number) FROM runs").fetchone()[0]
    numbered = evolve(record, number=int(newest or 0) + 1)
    connection.execute(
        "INSERT INTO runs (number, id, app, state, settled, run, result, body)"
        " VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
        (numbered.number, record.run.id, record.run.app, *_changing(numbered)),
    )
    return numbered


def update(connection: sqlite3.Connection, record: RunRecord) -> None:
    """Store a run as it is now."""
    connection.execute(
        "UPDATE runs SET state = ?, settled = ?, run = ?, result = ?, body = ? WHERE id = ?",
        (*_changing(record), record.run.id),
    )


def find(connection: sqlite3.Connection, run_id: str) -> RunRecord:
    """The run of this id, with all that the daemon knows of it.

    Raises:
        RunNotFoundError: There is none.
    """
    return _record(_row(connection, "run, result, body", run_id))


def find_run(connection: sqlite3.Connection, run_id: str) -> Run:
    """The run of this id as clients see it.

    Raises:
        RunNotFoundError: There is none.
    """
    row = _row(connection, "run, result", run_id)
    return _whole(row["run"], row["result"])


def is_settled(connection: sqlite3.Connection, run_id: str) -> bool:
    """Whether the run of this id has come to its end.

    Raises:
        RunNotFoundError: There is none.
    """
    return bool(_row(connection, "settled", run_id)["settled"])


def known(connection: sqlite3.Connection, run_ids: Iterable[str]) -> set[str]:
    """Those of the ids of which there is a run."""
    sql = f"SELECT id FROM runs WHERE {_NAMED}"  # noqa: S608 - the text is ours
    return {str(row["id"]) for row in connection.execute(sql, (compact(list(run_ids)),))}


def settled(connection: sqlite3.Connection, run_ids: Iterable[str]) -> set[str]:
    """Those of the ids of which there is a settled run."""
    sql = f"SELECT id FROM runs WHERE settled AND {_NAMED}"  # noqa: S608
    return {str(row["id"]) for row in connection.execute(sql, (compact(list(run_ids)),))}


def unsettled(connection: sqlite3.Connection) -> list[RunRecord]:
    """All runs that are not settled, oldest first."""
    sql = "SELECT run, result, body FROM runs WHERE NOT settled ORDER BY number"
    return [_record(row) for row in connection.execute(sql)]


def uncleared(connection: sqlite3.Connection) -> list[tuple[str, str]]:
    """Run and host of all that is still to be cleared up."""
    rows = connection.execute("SELECT run, host FROM uncleared ORDER BY run, host")
    return [(row["run"], row["host"]) for row in rows]


def owe(connection: sqlite3.Connection, run_id: str, hosts: Iterable[str]) -> None:
    """Store that these hosts are to be cleared up after a run."""
    connection.executemany(
        "INSERT OR IGNORE INTO uncleared VALUES (?, ?)", [(run_id, host) for host in hosts]
    )


def owe_only(connection: sqlite3.Connection, run_id: str, hosts: Iterable[str]) -> None:
    """Store that these hosts, and no others any more, are to be cleared up after a run."""
    connection.execute("DELETE FROM uncleared WHERE run = ?", (run_id,))
    owe(connection, run_id, hosts)


def settle_debt(connection: sqlite3.Connection, run_id: str, host: str) -> None:
    """Store that a host has been cleared up after a run."""
    connection.execute("DELETE FROM uncleared WHERE run = ? AND host = ?", (run_id, host))


def settled_before(connection: sqlite3.Connection, time: datetime) -> list[str]:
    """The ids of the runs that were settled before a time, oldest first."""
    sql = (
        "SELECT id FROM runs WHERE settled AND json_extract(run, '$.end_time') < ? ORDER BY number"
    )
    return [str(row["id"]) for row in connection.execute(sql, (time.isoformat(),))]


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
    rows, following = pages.newest_first(
        connection, "runs", limit=limit, token=token, where=where, columns="number, run"
    )
    return [_whole(row["run"], "null") for row in rows], following


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


def _row(connection: sqlite3.Connection, columns: str, run_id: str) -> sqlite3.Row:
    sql = f"SELECT {columns} FROM runs WHERE id = ?"  # noqa: S608
    row: sqlite3.Row | None = connection.execute(sql, (run_id,)).fetchone()
    if row is None:
        raise RunNotFoundError(f"there is no run {run_id}", metadata={"run": run_id})
    return row


def _changing(record: RunRecord) -> tuple[str, bool, str, str, str]:
    """The columns state, settled, run, result and body."""
    state, body = record.run.state, plain(record)
    run = body.pop("run")
    result = run.pop("result")
    return state.value, state.settled, compact(run), compact(result), compact(body)


def _record(row: sqlite3.Row) -> RunRecord:
    run = {**json.loads(row["run"]), "result": json.loads(row["result"])}
    return structured({**json.loads(row["body"]), "run": run}, RunRecord)


def _whole(run: str, result: str) -> Run:
    small = len(run) + len(result) <= _LARGEST_REMEMBERED
    return _remembered(run, result) if small else _joined(run, result)


def _joined(run: str, result: str) -> Run:
    return structured({**json.loads(run), "result": json.loads(result)}, Run)


_remembered = lru_cache(_REMEMBERED)(_joined)
