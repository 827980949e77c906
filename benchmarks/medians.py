"""Medians with their spread, and the ratio of two sides that were measured in turns."""

from __future__ import annotations

import os
import statistics
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple


class Medians(NamedTuple):
    """What remains of many values: the middle half of them, and the slow end."""

    low: float
    median: float
    high: float
    p99: float

    @classmethod
    def of(cls, values: Sequence[float]) -> Medians:
        """The quartiles and the 99th percentile of two values or more."""
        low, median, high = statistics.quantiles(values, n=4, method="inclusive")
        return cls(low, median, high, statistics.quantiles(values, n=100, method="inclusive")[98])

    def shown(self, unit: str = "ms", scale: float = 1000) -> str:
        """The median with the middle half: ``0.512 ms (0.498 to 0.533)``."""
        low, median, high = (f"{value * scale:.3g}" for value in self[:3])
        return f"{median} {unit} ({low} to {high})"


def alternating(
    rounds: int, ours: Callable[[], float], theirs: Callable[[], float]
) -> tuple[list[float], list[float]]:
    """Measure two sides in turns, each first in every other round; one round is thrown away."""
    ours(), theirs()
    pairs: list[tuple[float, float]] = []
    for number in range(rounds):
        if number % 2:
            pairs.append((ours(), theirs()))
        else:
            second = theirs()
            pairs.append((ours(), second))
    return [pair[0] for pair in pairs], [pair[1] for pair in pairs]


def ratio(ours: Sequence[float], theirs: Sequence[float]) -> str:
    """The median of the ratios of each round, with the middle half."""
    each = Medians.of([mine / other for mine, other in zip(ours, theirs, strict=True)])
    return f"{each.median:.2f} ({each.low:.2f} to {each.high:.2f})"


def cpu_seconds(pid: int, *, children: bool = False) -> float:
    """The processor time that a process has used so far, in all its threads.

    Args:
        pid: The process.
        children: Count also what its children used that have ended.
    """
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return sum(map(int, fields[11 : 15 if children else 13])) / os.sysconf("SC_CLK_TCK")


def load() -> str:
    """What else the machine does: figures taken beside much of it are to be read as ratios."""
    return f"load {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores"
