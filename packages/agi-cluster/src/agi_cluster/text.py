"""Numbers, durations, moments and foreign text as people read them."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from agi_env.foreign_text import printable

BAR_WIDTH = 20

LONGEST = 20
"""Rows of a long list that are shown."""


def one_line(text: str, longest: int = 200) -> str:
    """A foreign text as one line without control characters, cut where it is too long."""
    line = " ".join(printable(text).split())
    return line if len(line) <= longest else f"{line[: longest - 1]}…"


def number(value: float) -> str:
    """A weight, load or count: ``336,776``, ``12.5``, ``1.2e+12``."""
    if value == int(value) and abs(value) < 1e12:
        return f"{int(value):,}"
    return f"{value:,.1f}" if 1000 <= abs(value) < 1e12 else f"{value:.4g}"


def counted(count: int, noun: str) -> str:
    """A count of things: ``1 core``, ``1,200 cores``."""
    return f"{count:,} {noun}{'' if count == 1 else 's'}"


def duration(seconds: float) -> str:
    """A time span: ``42 ms``, ``1.24 s``, ``5 min 12 s``, ``2 h 5 min``."""
    if seconds < 1:
        return f"{seconds * 1000:.0f} ms" if seconds else "0 s"
    if seconds < 60:
        return f"{seconds:.2f} s" if seconds < 10 else f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes} min" if hours else f"{minutes} min {rest} s"


def time_left(seconds: float) -> str:
    """A guess of how long it still takes, no finer than guesses are: ``3 s``, ``5 min 12 s``."""
    whole = max(1, round(seconds))
    return f"{whole} s" if whole < 60 else duration(whole)


def byte_count(size: int) -> str:
    """A size: ``812 B``, ``3.4 MiB``."""
    amount = float(size)
    for unit in ("B", "KiB", "MiB", "GiB"):
        if amount < 1024:
            return f"{amount:.0f} {unit}" if unit == "B" else f"{amount:.1f} {unit}"
        amount /= 1024
    return f"{amount:.1f} TiB"


def moment(time: datetime | None) -> str:
    """A moment by the clock of this machine, to the second; empty for none."""
    return time.astimezone().strftime("%Y-%m-%d %H:%M:%S") if time else ""


def percent(share: float) -> str:
    """A share of 0 to 1: ``33 %``."""
    return f"{100 * share:.0f} %"


def bar(share: float, width: int = BAR_WIDTH) -> str:
    """A share of 0 to 1 as a bar, to an eighth of a character."""
    eighths = round(max(0.0, min(share, 1.0)) * width * 8)
    full, rest = divmod(eighths, 8)
    return "█" * full + ("" if not rest else " ▏▎▍▌▋▊▉"[rest])


def cut(items: Sequence[str], longest: int, what: str) -> list[str]:
    """The first items, and a line that says how many more there are."""
    if len(items) <= longest + 1:
        return list(items)
    return [*items[:longest], f"... and {len(items) - longest:,} more {what}"]


def columns(rows: Sequence[Sequence[str]], *, left: Sequence[int] = ()) -> list[str]:
    """The rows as lines that line up, columns to the right except those named by ``left``."""
    widths = [max(len(cell) for cell in column) for column in zip(*rows, strict=True)]
    return ["  ".join(_cells(row, widths, left)).rstrip() for row in rows]


def _cells(row: Sequence[str], widths: Sequence[int], left: Sequence[int]) -> list[str]:
    return [
        cell.ljust(width) if place in left else cell.rjust(width)
        for place, (cell, width) in enumerate(zip(row, widths, strict=True))
    ]
