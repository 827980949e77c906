"""Benchmarks: the same run in several modes."""

from __future__ import annotations

from datetime import datetime
from enum import Enum
from typing import Any

from attrs import field, frozen

from agi_env.errors import AgiError
from agi_env.mode import Mode


class BenchmarkState(Enum):
    """Where a benchmark stands."""

    MEASURING = "MEASURING"
    SUCCEEDED = "SUCCEEDED"
    FAILED = "FAILED"
    CANCELLED = "CANCELLED"

    @property
    def settled(self) -> bool:
        """It will not change any more."""
        return self is not BenchmarkState.MEASURING


@frozen(kw_only=True)
class BenchmarkRow:
    """What one mode came to."""

    mode: Mode
    seconds: tuple[float, ...] = ()
    """Of each run that counts, from the start of its runner until it was settled."""
    cpu_seconds: tuple[float, ...] = ()
    """Processor time of the partitions in each of these."""
    median: float = 0.0
    low: float = 0.0
    """The lower quartile of the seconds."""
    high: float = 0.0
    ratio: float = 0.0
    """How many times longer than in the fastest mode, by the medians."""
    noise: bool = False
    """The difference from the fastest is not more than chance would make."""
    differs: bool = False
    """The results differ from those of the first mode."""
    runs: tuple[str, ...] = ()
    """The ids of its runs, those that do not count first."""
    error: AgiError | None = None


@frozen(kw_only=True)
class Benchmark:
    """The same run in several modes."""

    id: str
    app: str
    state: BenchmarkState
    repeats: int
    warmups: int
    rows: tuple[BenchmarkRow, ...]
    create_time: datetime
    target: BenchmarkState = BenchmarkState.SUCCEEDED
    recommended: Mode | None = None
    advice: str = ""
    args: dict[str, Any] = field(factory=dict)
    end_time: datetime | None = None
    error: AgiError | None = None
