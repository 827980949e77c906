"""What ``AGI.run`` returns for several modes."""

from __future__ import annotations

from attrs import frozen

from agi_cluster.agi_distributor.failure import marked
from agi_cluster.model.benchmark import Benchmark, BenchmarkRow
from agi_cluster.text import columns, duration
from agi_env.errors import AgiError, RunFailedError
from agi_env.mode import Mode


@frozen(kw_only=True, repr=False)
class BenchmarkResult:
    """A settled benchmark; prints as its table, with the mode that it recommends."""

    benchmark: str
    """Its id; ``agi benchmarks show ID`` shows it again."""
    app: str
    rows: tuple[BenchmarkRow, ...]
    recommended: Mode | None
    advice: str
    error: AgiError | None = None

    @classmethod
    def of(cls, benchmark: Benchmark) -> BenchmarkResult:
        """The facts of a benchmark that is settled."""
        return cls(
            benchmark=benchmark.id,
            app=benchmark.app,
            rows=benchmark.rows,
            recommended=benchmark.recommended,
            advice=benchmark.advice,
            error=benchmark.error,
        )

    def failure(self) -> AgiError:
        """The error of a benchmark that did not succeed, with its table in words."""
        error = self.error or RunFailedError("the benchmark failed", where=self.benchmark)
        return marked(error, str(self), run=self.benchmark, kept="")

    def __str__(self) -> str:
        rows = columns([_HEADER, *map(_row, self.rows)], left=(1, 5))
        last = (
            f"recommended: mode {self.recommended.words}: " if self.recommended is not None else ""
        )
        return "\n".join([f"{self.app}  benchmark {self.benchmark}", *rows, f"{last}{self.advice}"])

    __repr__ = __str__


_HEADER = ("mode", "means", "median", "low", "high", "note")


def _row(row: BenchmarkRow) -> tuple[str, ...]:
    number, _, words = row.mode.words.partition(" = ")
    times = [duration(value) if row.seconds else "" for value in (row.median, row.low, row.high)]
    note = "noise" if row.noise else "other results" if row.differs else ""
    return (number, words, *times, str(row.error) if row.error else note)
