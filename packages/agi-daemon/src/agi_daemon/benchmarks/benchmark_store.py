"""Benchmarks in the store."""

from __future__ import annotations

import sqlite3

from attrs import frozen

from agi_cluster.model.benchmark import Benchmark
from agi_cluster.model.requests import CreateBenchmark
from agi_daemon.store.record_table import RecordTable
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


def _missing(benchmark_id: str) -> BenchmarkNotFoundError:
    return BenchmarkNotFoundError(
        f"there is no benchmark {benchmark_id}", metadata={"benchmark": benchmark_id}
    )


_TABLE = RecordTable(name="benchmarks", record=BenchmarkRecord, missing=_missing)
find, unsettled = _TABLE.find, _TABLE.unsettled


def insert(connection: sqlite3.Connection, record: BenchmarkRecord) -> None:
    """Store a new benchmark."""
    each = record.benchmark
    _TABLE.insert(connection, each.id, record, settled=False, found_by={"app": each.app})


def update(connection: sqlite3.Connection, record: BenchmarkRecord) -> None:
    """Store a benchmark as it is now."""
    each = record.benchmark
    _TABLE.update(connection, each.id, record, settled=each.state.settled)


def page(
    connection: sqlite3.Connection, *, limit: int, token: str, app: str
) -> tuple[list[Benchmark], str]:
    """A page of benchmarks, newest first, and the next token."""
    where = [("app = ?", app)] if app else []
    records, following = _TABLE.page(connection, limit=limit, token=token, where=where)
    return [record.benchmark for record in records], following
