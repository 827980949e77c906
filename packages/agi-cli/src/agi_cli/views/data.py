"""What an app's ``reduce`` returned, as far as its shape has a picture: lists of flat rows."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from rich.console import Group, RenderableType
from rich.text import Text

from agi_cli.views.grid import facts, grid
from agi_cluster.text import one_line

ROWS = 30
"""How many rows of a table are shown."""

Row = Mapping[str, Any]


def data_view(data: Any) -> RenderableType:
    """A list of flat dictionaries, or each of a dictionary's, as a table; the rest as JSON.

    A flat dictionary beside exactly one table, with none but its columns, is its last row: a total.
    """
    if is_table(data):
        return table(data)
    if not isinstance(data, Mapping) or not any(is_table(value) for value in data.values()):
        return Text(one_line(_json(data), 1000))
    tables = {name: value for name, value in data.items() if is_table(value)}
    others = {name: value for name, value in data.items() if name not in tables}
    parts: list[RenderableType] = []
    for name, rows in tables.items():
        totals = _totals(rows, others) if len(tables) == 1 else {}
        others = {key: value for key, value in others.items() if key not in totals}
        parts += [Text(name, style="bold"), table(rows, totals)]
    if others:
        parts.append(facts((name, one_line(_json(value))) for name, value in others.items()))
    return Group(*parts)


def is_table(value: Any) -> bool:
    """Whether a value is a list of dictionaries of plain values, and not empty."""
    return isinstance(value, list) and bool(value) and all(_is_row(row) for row in value)


def table(rows: Sequence[Row], totals: Mapping[str, Row] | None = None) -> RenderableType:
    """Rows below each other, a column for each key, and named rows below them.

    Texts come before numbers, and each in the order of their keys: the API carries objects, in
    which the order that the app gave them is lost.
    """
    texts, numbers = columns_of(rows)
    keys = [*texts, *numbers]
    shown = [*rows[:ROWS], *({keys[0]: name, **total} for name, total in (totals or {}).items())]
    cells = [_column([row.get(key) for row in shown]) for key in keys]
    drawn = grid(
        [one_line(key, 40) for key in keys],
        zip(*cells, strict=True),
        right=[one_line(key, 40) for key in numbers],
        prose=[one_line(key, 40) for key in texts],
    )
    if len(rows) > ROWS:
        return Group(drawn, Text(f"... and {len(rows) - ROWS:,} more rows"))
    return drawn


def columns_of(rows: Sequence[Row]) -> tuple[list[str], list[str]]:
    """The columns of texts and those of numbers, each in the order of their keys."""
    keys = sorted({key for row in rows for key in row})
    numbers = [key for key in keys if all(_is_number(row.get(key)) for row in rows)]
    return [key for key in keys if key not in numbers], numbers


def _totals(rows: Sequence[Row], others: Mapping[str, Any]) -> dict[str, Row]:
    columns = {key for row in rows for key in row}
    return {
        name: value
        for name, value in others.items()
        if _is_row(value) and columns.issuperset(value)
    }


def _is_row(value: Any) -> bool:
    return (
        isinstance(value, Mapping)
        and bool(value)
        and not any(isinstance(cell, (dict, list)) for cell in value.values())
    )


def _is_number(value: Any) -> bool:
    return value is None or (isinstance(value, (int, float)) and not isinstance(value, bool))


def _column(values: Sequence[Any]) -> list[str]:
    """The cells of one column; its fractions have equally many digits."""
    sizes = [abs(value) for value in values if isinstance(value, float)]
    digits = 0 if not sizes or max(sizes) >= 1e6 else 1 if max(sizes) >= 1e3 else 3
    return [_cell(value, digits if sizes else 0) for value in values]


def _cell(value: Any, digits: int) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, (int, float)):
        return f"{value:,.{digits}f}"
    return one_line(str(value), 60)


def _json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False)
