"""What may be said of the modes' times: medians, and which differences are more than chance."""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence
from itertools import combinations

from attrs import evolve, frozen

from agi_cluster.model.benchmark import BenchmarkRow
from agi_env.mode import Mode

CHANCE = 0.05
"""A difference that chance alone would make as often as this is called noise."""

_FEWEST = 4
"""With fewer runs of each mode no difference whatever is beyond `CHANCE`."""

_ENUMERATED = 16
"""So many values together are compared by all their divisions; more by the normal approximation."""


@frozen
class Comparison:
    """The table with what is to be said of it.

    Attributes:
        rows: The rows, compared with the fastest.
        recommended: The mode to choose; none while none can be named.
        advice: Why, in a line.
    """

    rows: tuple[BenchmarkRow, ...]
    recommended: Mode | None
    advice: str


def compared(rows: Sequence[BenchmarkRow]) -> Comparison:
    """Compare each row with the fastest of those that succeeded with equal results."""
    done = [_summed(row) for row in rows]
    sound = [row for row in done if row.seconds and row.error is None and not row.differs]
    if not sound:
        return Comparison(tuple(done), None, "no mode has succeeded")
    fastest = min(sound, key=lambda row: row.median)
    told = tuple(_beside(row, fastest) for row in done)
    usable = {row.mode for row in sound}
    level = [row.mode for row in told if row.mode in usable and (row.noise or row.ratio == 1.0)]
    chosen = min(level, key=lambda mode: (int(mode).bit_count(), int(mode)))
    return Comparison(told, chosen, _advice(chosen, fastest, told, len(level) > 1))


def chance_of(ours: Sequence[float], theirs: Sequence[float]) -> float:
    """How often chance alone would set two samples at least as far apart: a number of 0 to 1.

    The two-sided rank-sum test of Mann and Whitney (1947): exact for few values, by the normal
    approximation for many.
    """
    together = [*ours, *theirs]
    ranks = _ranks(together)
    expected = len(ours) * (len(together) + 1) / 2
    distance = abs(sum(ranks[: len(ours)]) - expected)
    if len(together) > _ENUMERATED:
        spread = math.sqrt(len(ours) * len(theirs) * (len(together) + 1) / 12)
        return math.erfc(distance / spread / math.sqrt(2))
    sums = [sum(chosen) for chosen in combinations(ranks, len(ours))]
    return sum(abs(each - expected) >= distance - 1e-9 for each in sums) / len(sums)


def _ranks(values: Sequence[float]) -> list[float]:
    """The place of each value from 1; equal values share the mean of theirs."""
    ordered = sorted(values)
    return [ordered.index(value) + (ordered.count(value) + 1) / 2 for value in values]


def _summed(row: BenchmarkRow) -> BenchmarkRow:
    if not row.seconds:
        return row
    low = high = median = statistics.median(row.seconds)
    if len(row.seconds) > 1:
        low, median, high = statistics.quantiles(row.seconds, n=4, method="inclusive")
    return evolve(row, low=low, median=median, high=high)


def _beside(row: BenchmarkRow, fastest: BenchmarkRow) -> BenchmarkRow:
    if not row.seconds or row is fastest:
        return evolve(row, ratio=1.0 if row is fastest else 0.0)
    noise = chance_of(row.seconds, fastest.seconds) > CHANCE
    return evolve(row, ratio=row.median / fastest.median, noise=noise)


def _advice(chosen: Mode, fastest: BenchmarkRow, rows: Sequence[BenchmarkRow], level: bool) -> str:
    if len(fastest.seconds) < _FEWEST and len(rows) > 1:
        return f"with {len(fastest.seconds)} runs of each mode nothing can be told from chance"
    slowest = max((row.ratio for row in rows), default=1.0)
    if chosen is not fastest.mode:
        return f"mode {fastest.mode.words} is not faster by more than chance, and this is simpler"
    if level:
        return "the simplest of those that differ by no more than chance"
    return f"the fastest: {slowest:.2g} times faster than the slowest"
