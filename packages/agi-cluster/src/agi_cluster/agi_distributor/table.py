"""Plain text that lines up: columns, numbers, lists that are cut."""

from __future__ import annotations

from collections.abc import Sequence

LONGEST = 20
"""Rows of a long list that are shown."""


def columns(rows: Sequence[Sequence[str]], *, left: Sequence[int] = ()) -> list[str]:
    """The rows as lines, columns to the right except those named by ``left``."""
    widths = [max(len(cell) for cell in column) for column in zip(*rows, strict=True)]
    return ["  ".join(_cells(row, widths, left)).rstrip() for row in rows]


def cut(lines: Sequence[str], what: str, longest: int = LONGEST) -> list[str]:
    """The first lines, and how many more there are of what."""
    if len(lines) <= longest + 1:
        return list(lines)
    return [*lines[:longest], f"… {len(lines) - longest} more {what}"]


def number(value: float) -> str:
    """A weight or load, short: ``336776``, ``12.5``, ``1.2e+12``."""
    if value == int(value) and abs(value) < 1e12:
        return str(int(value))
    return f"{value:.4g}"


def seconds(value: float) -> str:
    """A duration: ``0.042 s``, ``1.24 s``, ``5 min 12 s``."""
    if value < 1:
        return f"{value:.3f} s"
    if value < 60:
        return f"{value:.2f} s"
    minutes, rest = divmod(round(value), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes} min" if hours else f"{minutes} min {rest} s"


def short(text: str, longest: int = 100) -> str:
    """One line of a text."""
    line = " ".join(text.split())
    return line if len(line) <= longest else f"{line[: longest - 1]}…"


def _cells(row: Sequence[str], widths: Sequence[int], left: Sequence[int]) -> list[str]:
    return [
        cell.ljust(width) if place in left else cell.rjust(width)
        for place, (cell, width) in enumerate(zip(row, widths, strict=True))
    ]
