"""Executions of pipelines in the store, with the tokens of their steps."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence

from attrs import evolve, frozen

from agi_cluster.model.pipeline_run import PipelineRun
from agi_daemon.pipelines.run_record import PipelineRunRecord
from agi_daemon.store.codec import load
from agi_daemon.store.record_table import RecordTable
from agi_env.errors import PipelineRunNotFoundError


@frozen
class StepResource:
    """Something that was made with a step's token."""

    method: str
    resource: str


def _missing(run_id: str) -> PipelineRunNotFoundError:
    return PipelineRunNotFoundError(
        f"there is no execution {run_id}", metadata={"pipeline_run": run_id}
    )


_TABLE = RecordTable(name="pipeline_runs", record=PipelineRunRecord, missing=_missing)
find, unsettled = _TABLE.find, _TABLE.unsettled


def insert(connection: sqlite3.Connection, record: PipelineRunRecord) -> None:
    """Store a new execution."""
    run = record.run
    found_by = {"file": run.file, "module": run.module}
    _TABLE.insert(connection, run.id, record, settled=run.state.settled, found_by=found_by)


def update(connection: sqlite3.Connection, record: PipelineRunRecord) -> None:
    """Store an execution as it is now."""
    _TABLE.update(connection, record.run.id, record, settled=record.run.state.settled)


def made_by_unsettled(connection: sqlite3.Connection) -> set[str]:
    """The ids of all that was made by the steps of executions that are not settled."""
    sql = (
        "SELECT resource FROM step_resources JOIN step_tokens USING (token)"
        " JOIN pipeline_runs ON id = pipeline_run WHERE NOT settled"
    )
    return {str(row["resource"]) for row in connection.execute(sql)}


def latest(connection: sqlite3.Connection, file: str, module: str) -> PipelineRun | None:
    """The latest execution of a pipeline."""
    sql = "SELECT body FROM pipeline_runs WHERE file = ? AND module = ? ORDER BY number DESC"
    row = connection.execute(f"{sql} LIMIT 1", (file, module)).fetchone()
    return None if row is None else load(row["body"], PipelineRunRecord).run


def page(
    connection: sqlite3.Connection, *, limit: int, token: str, file: str
) -> tuple[list[PipelineRun], str]:
    """A page of executions, newest first and without code, and the next token."""
    where = [("file = ?", file)] if file else []
    records, following = _TABLE.page(connection, limit=limit, token=token, where=where)
    return [_without_code(record.run) for record in records], following


def open_token(connection: sqlite3.Connection, token: str, run_id: str, step: str) -> None:
    """Let a step ask for things."""
    connection.execute("INSERT INTO step_tokens VALUES (?, ?, ?, 1)", (token, run_id, step))


def close_token(connection: sqlite3.Connection, token: str) -> None:
    """Have whatever is asked with a token refused from now on."""
    connection.execute("UPDATE step_tokens SET open = 0 WHERE token = ?", (token,))


def resources(connection: sqlite3.Connection, token: str) -> Sequence[StepResource]:
    """What was made with a token, in order."""
    sql = "SELECT method, resource FROM step_resources WHERE token = ? ORDER BY number"
    return [
        StepResource(row["method"], row["resource"]) for row in connection.execute(sql, (token,))
    ]


def _without_code(run: PipelineRun) -> PipelineRun:
    return evolve(run, steps=tuple(evolve(step, code="") for step in run.steps))
