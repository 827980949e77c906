"""Executions of pipelines that are old, found and forgotten in the store."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime

from agi_cluster.model.pipeline_run import PipelineRun
from agi_daemon.pipelines import continuation, pipeline_run_store


def pipeline_runs(
    connection: sqlite3.Connection, *, before: float, keep: int
) -> Iterator[PipelineRun]:
    """The executions that were settled before a time, the oldest first.

    The newest settled ones of each file stay, and so does what one that is not settled needs.
    """
    moment = datetime.fromtimestamp(before, tz=UTC).isoformat()
    ended = (
        "coalesce(json_extract(body, '$.run.end_time'), json_extract(body, '$.run.create_time'))"
    )
    place = "row_number() OVER (PARTITION BY file ORDER BY number DESC) AS place"
    some = f"SELECT id, number, {ended} AS ended, {place} FROM pipeline_runs WHERE settled"  # noqa: S608
    sql = f"SELECT id FROM ({some}) WHERE place > ? AND ended < ? ORDER BY number"  # noqa: S608
    needed = _needed(connection)
    for row in connection.execute(sql, (keep, moment)).fetchall():
        if row["id"] not in needed:
            yield pipeline_run_store.find(connection, row["id"]).run


def forget_pipeline_runs(connection: sqlite3.Connection, run_ids: Iterable[str]) -> set[str]:
    """Remove settled executions with all that is stored of them; again, nothing happens.

    Returns:
        Those that stay: meanwhile somebody goes on with them.
    """
    named = set(run_ids)
    stay = named & _needed(connection)
    for run_id in named - stay:
        tokens = "SELECT token FROM step_tokens WHERE pipeline_run = ?"
        sql = f"DELETE FROM step_resources WHERE token IN ({tokens})"  # noqa: S608
        connection.execute(sql, (run_id,))
        connection.execute("DELETE FROM step_tokens WHERE pipeline_run = ?", (run_id,))
        connection.execute("DELETE FROM events WHERE subject = ?", (f"pipelineRuns/{run_id}",))
        connection.execute("DELETE FROM pipeline_runs WHERE id = ? AND settled", (run_id,))
    return stay


def _needed(connection: sqlite3.Connection) -> set[str]:
    """What unsettled executions go on from, and what their steps started."""
    needed = pipeline_run_store.made_by_unsettled(connection)
    for record in pipeline_run_store.unsettled(connection):
        needed |= continuation.origins(record.run)
    return needed
