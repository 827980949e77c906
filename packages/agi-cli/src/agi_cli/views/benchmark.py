"""Benchmarks as people see them: a table, and bars to scale."""

from __future__ import annotations

from collections.abc import Iterator

from rich.console import Group, RenderableType
from rich.text import Text

from agi_cli.listing import Listing
from agi_cli.views.grid import Cell, grid, listed, state
from agi_cluster.model.benchmark import Benchmark, BenchmarkRow
from agi_cluster.text import duration

_COLUMNS = ("mode", "means", "median", "middle half", "cpu", "times", "", "note")
_WIDTH = 24
"""Characters of the longest bar."""


def benchmark_view(benchmark: Benchmark) -> RenderableType:
    """One benchmark: its table with bars, and what it recommends."""
    counted = f"{benchmark.repeats} runs of each mode after {benchmark.warmups} that do not count"
    head = Text.assemble(
        f"{benchmark.app}  ", state(benchmark.state.value), f"  {benchmark.id}  {counted}"
    )
    longest = max((row.median for row in benchmark.rows), default=0.0)
    rows = [_row(row, longest) for row in benchmark.rows]
    table = grid(
        _COLUMNS,
        rows,
        right=("mode", "median", "cpu", "times"),
        prose=("means", "note"),
        may_go=("", "cpu", "middle half", "means"),
    )
    return Group(head, table, *_advice(benchmark))


def benchmark_table(benchmarks: Listing[Benchmark], *, filtered: bool = False) -> RenderableType:
    """The benchmarks; all of them, or those that were asked for."""
    rows = [
        (
            each.id,
            each.app,
            state(each.state.value),
            " ".join(str(int(row.mode)) for row in each.rows),
            "" if each.recommended is None else str(int(each.recommended)),
        )
        for each in benchmarks.items
    ]
    table = grid(
        ("benchmark", "app", "state", "modes", "recommended"),
        rows,
        prose=("modes",),
        may_go=("app", "modes"),
    )
    empty = "no benchmark matches" if filtered else "no benchmarks"
    return listed(table, empty, more=benchmarks.more)


def _row(row: BenchmarkRow, longest: float) -> tuple[Cell, ...]:
    number, _, words = row.mode.words.partition(" = ")
    if not row.seconds:
        return (number, words, "", "", "", "", "", _note(row))
    cpu = sorted(row.cpu_seconds)[len(row.cpu_seconds) // 2]
    bar = "#" * max(1, round(_WIDTH * row.median / longest)) if longest else ""
    spread = f"{duration(row.low)} to {duration(row.high)}"
    times = f"{row.ratio:.2f}" if row.ratio else ""
    return (number, words, duration(row.median), spread, duration(cpu), times, bar, _note(row))


def _note(row: BenchmarkRow) -> str:
    if row.error is not None:
        return str(row.error)
    if row.differs:
        return "other results than the first mode: left out"
    return "no more than chance from the fastest" if row.noise else ""


def _advice(benchmark: Benchmark) -> Iterator[Text]:
    if benchmark.recommended is not None:
        yield Text(f"recommended: mode {benchmark.recommended.words}: {benchmark.advice}")
    elif benchmark.advice:
        yield Text(benchmark.advice)
