"""Benchmarks in the store."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence

from attrs import frozen

from agi_cluster.model.benchmark import Benchmark
from agi_cluster.model.requests import CreateBenchmark
from agi_daemon.store import pages
from agi_daemon.store.codec import dump, load
from agi_env.errors import BenchmarkNotFoundError


@frozen(kw_only=True)
class BenchmarkRecord:
    """One benchmark, as it is stored: what is measured, and what was asked for."""

    benchmark: Benchmark
    request: CreateBenchmark

    @property
    def subject(self) -> str:
        """The name under which its events are numbered."""
        return f"benchmarks/{self.benchmark.id}"


def insert(connection: sqlite3.Connection, record: BenchmarkRecord) -> None:
    """Store a new benchmark."""
    each = record.benchmark
    connection.execute(
        "INSERT INTO benchmarks (id, app, settled, body) VALUES (?, ?, 0, ?)",
        (each.id, each.app, dump(record)),
    )


def update(connection: sqlite3.Connection, record: BenchmarkRecord) -> None:
    """Store a benchmark as it is now."""
    each = record.benchmark
    connection.execute(
        "UPDATE benchmarks SET settled = ?, body = ? WHERE id = ?",
        (each.state.settled, dump(record), each.id),
    )


def find(connection: sqlite3.Connection, benchmark_id: str) -> BenchmarkRecord:
    """The benchmark of this id.

    Raises:
        BenchmarkNotFoundError: There is none.
    """
    sql = "SELECT body FROM benchmarks WHERE id = ?"
    row = connection.execute(sql, (benchmark_id,)).fetchone()
    if row is None:
        raise BenchmarkNotFoundError(
            f"there is no benchmark {benchmark_id}", metadata={"benchmark": benchmark_id}
        )
    return load(row["body"], BenchmarkRecord)


def unsettled(connection: sqlite3.Connection) -> Sequence[BenchmarkRecord]:
    """All benchmarks that are not settled, oldest first."""
    rows = connection.execute("SELECT body FROM benchmarks WHERE NOT settled ORDER BY number")
    return [load(row["body"], BenchmarkRecord) for row in rows]


def page(
    connection: sqlite3.Connection, *, limit: int, token: str, app: str
) -> tuple[list[Benchmark], str]:
    """A page of benchmarks, newest first, and the next token."""
    where = [("app = ?", app)] if app else []
    rows, following = pages.newest_first(
        connection, "benchmarks", limit=limit, token=token, where=where
    )
    return [load(row["body"], BenchmarkRecord).benchmark for row in rows], following
