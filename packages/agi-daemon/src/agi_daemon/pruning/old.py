"""What is old, found and forgotten in the store."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime

from attrs import frozen

from agi_cluster.model.selection import THIS_MACHINE
from agi_daemon.pipelines import pipeline_run_store
from agi_daemon.runs import run_store
from agi_daemon.runs.record import RunRecord

_SETTLED_SUBJECTS = (
    "SELECT 'runs/' || id FROM runs WHERE state = 'SUCCEEDED'"
    " UNION ALL SELECT 'installations/' || id FROM installations WHERE settled"
    " UNION ALL SELECT 'pipelineRuns/' || id FROM pipeline_runs WHERE settled"
)
_OLD_EVENTS = (
    f"subject IN ({_SETTLED_SUBJECTS}) AND at < ?"  # noqa: S608 - the text is ours
    " AND sequence < (SELECT max(sequence) FROM events AS last WHERE last.subject = events.subject)"
)
"""The last event stays: it tells a watcher with an old number what is missing. Those of a run that
did not succeed stay all: a retry learns from them what is done."""


_AT_ONCE = 5000
"""Events that one transaction removes: others wait for the writer meanwhile."""


@frozen
class OldRun:
    """A settled run that is old enough."""

    record: RunRecord

    @property
    def hosts(self) -> tuple[str, ...]:
        """Where it may have directories; where it never was, there is none to remove."""
        record = self.record
        # The daemon's own verdict, where there is one, is on this machine.
        places = (THIS_MACHINE, record.resolution.runner_host, record.runner_host, *record.builds)
        return tuple(dict.fromkeys(places))


def runs(connection: sqlite3.Connection, *, before: float, keep: int) -> Iterator[OldRun]:
    """The runs that were settled before a time, but for the newest settled ones; oldest first.

    One that a waiting run goes on from stays, one that a step of an unsettled pipeline started and
    may ask for once more, and one that has hosts to be cleared up.
    """
    moment = datetime.fromtimestamp(before, tz=UTC).isoformat()
    ended = "coalesce(json_extract(run, '$.end_time'), json_extract(run, '$.create_time'))"
    some = "SELECT id, number, run FROM runs WHERE settled ORDER BY number DESC LIMIT -1 OFFSET ?"
    sql = f"SELECT id FROM ({some}) WHERE {ended} < ? ORDER BY number"  # noqa: S608
    needed = {record.run.retry_of for record in run_store.unsettled(connection)}
    needed |= pipeline_run_store.made_by_unsettled(connection)
    needed |= {run for run, _ in run_store.uncleared(connection)}
    for row in connection.execute(sql, (keep, moment)).fetchall():
        record = run_store.find(connection, row["id"])
        if record.run.id not in needed:
            yield OldRun(record)


def forget_runs(connection: sqlite3.Connection, run_ids: Iterable[str]) -> None:
    """Remove settled runs with all that is stored of them; again, nothing happens."""
    for run_id in run_ids:
        connection.execute("DELETE FROM run_partitions WHERE run = ?", (run_id,))
        connection.execute("DELETE FROM events WHERE subject = ?", (f"runs/{run_id}",))
        connection.execute("DELETE FROM runs WHERE id = ? AND settled", (run_id,))


def count_events(connection: sqlite3.Connection, *, before: float) -> int:
    """How many events of what is settled were told before a time."""
    sql = f"SELECT count(*) FROM events WHERE {_OLD_EVENTS}"  # noqa: S608
    return int(connection.execute(sql, (before,)).fetchone()[0])


def forget_events(connection: sqlite3.Connection, *, before: float) -> bool:
    """Remove some of the events that `count_events` counts; say whether there may be more."""
    some = f"SELECT subject, sequence FROM events WHERE {_OLD_EVENTS} LIMIT {_AT_ONCE}"  # noqa: S608
    sql = f"DELETE FROM events WHERE (subject, sequence) IN ({some})"  # noqa: S608
    return connection.execute(sql, (before,)).rowcount == _AT_ONCE


def count_requests(connection: sqlite3.Connection, *, before: float) -> int:
    """How many request ids were accepted before a time."""
    sql = "SELECT count(*) FROM requests WHERE accepted < ?"
    return int(connection.execute(sql, (before,)).fetchone()[0])


def forget_requests(connection: sqlite3.Connection, *, before: float) -> None:
    """Remove the request ids that `count_requests` counts."""
    connection.execute("DELETE FROM requests WHERE accepted < ?", (before,))
