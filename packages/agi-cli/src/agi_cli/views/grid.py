"""The one look that all tables have."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from agi_env.foreign_text import printable_lines

STATE_STYLES = {
    "SUCCEEDED": "green",
    "READY": "green",
    "FAILED": "bold red",
    "SUSPECT": "yellow",
    "UNTRUSTED": "yellow",
    "KEY_CHANGED": "bold red",
    "UNUSABLE": "bold red",
    "CANCELLED": "yellow",
    "CURRENT": "green",
    "STALE": "yellow",
    "SKIPPED": "green",
    "INTERRUPTED": "bold red",
    "BLOCKED": "yellow",
    "LEFT_OUT": "dim",
    "UNTRACKED": "dim",
}
"""Settled states; those that move are cyan."""


def grid(
    columns: Sequence[str], rows: Iterable[Sequence[RenderableType]], *, right: Sequence[str] = ()
) -> Table:
    """A table without lines, its columns to the left except those named by ``right``."""
    table = Table(box=None, pad_edge=False, header_style="bold", padding=(0, 2, 0, 0))
    for column in columns:
        justify = "right" if column in right else "left"
        table.add_column(column, justify=justify, overflow="fold")  # type: ignore[arg-type]
    for row in rows:
        table.add_row(*map(_cell, row))
    return table


def facts(pairs: Iterable[tuple[str, RenderableType]]) -> Table:
    """Names and values below each other; pairs without a value are left out."""
    table = Table.grid(padding=(0, 2, 0, 0))
    table.add_column(style="bold")
    table.add_column(overflow="fold")
    for name, value in pairs:
        if value:
            table.add_row(name, _cell(value))
    return table


def state(name: str) -> Text:
    """A state in its colour."""
    return Text(name, style=STATE_STYLES.get(name, "cyan"))


def listed(table: Table, empty: str, *, more: bool) -> RenderableType:
    """A list, what to say where it is empty, and a word where it goes on."""
    if not table.row_count:
        return Text(empty)
    return Group(table, Text("... and more: --limit shows them")) if more else table


def _cell(value: RenderableType) -> RenderableType:
    """The value; a text as it will be shown, since the width of its column is measured by it."""
    if isinstance(value, Text) and not value.plain.isprintable():
        value = value.copy()
        value.plain = printable_lines(value.plain)
    return value
