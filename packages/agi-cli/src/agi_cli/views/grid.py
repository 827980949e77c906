"""The one look that all tables have."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import zip_longest

from rich.console import Console, ConsoleOptions, Group, RenderableType, RenderResult
from rich.text import Text

from agi_cli.views.columns import GAP, INDENT, Column, Tier, fitted
from agi_env.foreign_text import printable_lines

Cell = str | Text

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


class Grid:
    """A table without lines; see `fitted` for how it is made to fit a terminal."""

    def __init__(self, columns: Sequence[Column], may_go: Sequence[str]) -> None:
        self._columns = columns
        self._may_go = may_go

    @property
    def row_count(self) -> int:
        """How many rows are below the heads."""
        return len(self._columns[0].cells)

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        tiers = fitted(self._columns, _room(console, options), self._may_go)
        for place, tier in enumerate(tiers):
            yield from _heads(tier, place)
        for row in range(self.row_count):
            for place, tier in enumerate(tiers):
                yield from _lines(row, tier, place, console)


class Facts:
    """Names and values below each other; a value's words go on below its first."""

    def __init__(self, names: Column, values: Column) -> None:
        self._names = names
        self._values = values

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        tiers = fitted((self._names, self._values), _room(console, options))
        for row in range(len(self._names.cells)):
            for place, tier in enumerate(tiers):
                yield from _lines(row, tier, place, console)


def grid(
    columns: Sequence[str],
    rows: Iterable[Sequence[Cell]],
    *,
    right: Sequence[str] = (),
    prose: Sequence[str] = (),
    moments: Sequence[str] = (),
    may_go: Sequence[str] = (),
) -> Grid:
    """A table, its columns to the left.

    Args:
        columns: Their heads.
        rows: A cell for each column.
        right: Columns that are to the right.
        prose: Those whose words may be put below each other; nothing else is ever broken.
        moments: Those of dates, which can do without their seconds.
        may_go: Those that a narrow terminal can do without, the first to go first.
    """
    table = [tuple(map(_cell, row)) for row in rows]
    cells = zip(*table, strict=True) if table else ((),) * len(columns)
    made = [
        Column(
            printable_lines(head),
            each,
            right=head in right,
            prose=head in prose,
            moment=head in moments,
        )
        for head, each in zip(columns, cells, strict=True)
    ]
    return Grid(made, may_go)


def facts(pairs: Iterable[tuple[str, Cell]]) -> Facts:
    """Names and values below each other; pairs without a value are left out."""
    rows = [(_cell(Text(name, style="bold")), _cell(value)) for name, value in pairs if value]
    names, values = zip(*rows, strict=True) if rows else ((), ())
    return Facts(Column("", names), Column("", values, prose=True))


def path(name: str) -> Text:
    """A path, which stays in one piece whatever is in it."""
    return Text(name, no_wrap=True)


def state(name: str) -> Text:
    """A state in its colour."""
    return Text(name, style=STATE_STYLES.get(name, "cyan"))


def listed(table: Grid, empty: str, *, more: bool) -> RenderableType:
    """A list, what to say where it is empty, and a word where it goes on."""
    if not table.row_count:
        return Text(empty)
    return Group(table, Text("... and more: --limit shows them")) if more else table


def _cell(value: Cell) -> Text:
    """A text as it will be shown, since the width of its column is measured by it."""
    if isinstance(value, str):
        return Text(printable_lines(value))
    if not value.plain.isprintable():
        value = value.copy()
        value.plain = printable_lines(value.plain)
    return value


def _room(console: Console, options: ConsoleOptions) -> int | None:
    """Cells of a line; None where nobody looks at it, and it may be as long as it needs to be."""
    return options.max_width if console.is_terminal else None


def _heads(tier: Tier, place: int) -> Iterator[Text]:
    """The heads of a tier, the last line of each above its cells; no line for none at all."""
    heads = [column.head.split("\n") for column in tier]
    height = max(map(len, heads))
    for cells in zip(*([""] * (height - len(head)) + head for head in heads), strict=True):
        if place == 0 or any(cells):
            yield _line([Text(cell, style="bold") for cell in cells], tier, place)


def _lines(row: int, tier: Tier, place: int, console: Console) -> Iterator[Text]:
    """What a row has in a tier: as many lines as its longest prose; below the first, not none."""
    broken = [_broken(column.cells[row], column, console) for column in tier]
    for cells in zip_longest(*broken, fillvalue=Text()):
        if place == 0 or any(cells):
            yield _line(cells, tier, place)


def _broken(cell: Text, column: Column, console: Console) -> Iterable[Text]:
    """The lines of a cell: words stay whole, even those that are longer than a line."""
    if not column.prose or cell.no_wrap:
        return cell.split("\n", allow_blank=True)
    cell = cell.copy()
    cell.overflow = "ignore"
    return cell.wrap(console, column.width)


def _line(cells: Sequence[Text], tier: Tier, place: int) -> Text:
    line = Text(no_wrap=True, overflow="ignore")
    end = INDENT if place else 0
    for cell, column in zip(cells, tier, strict=True):
        end += column.width
        begin = end - (cell.cell_len if column.right else column.width)
        line.pad_right(begin - line.cell_len)
        line.append_text(cell)
        end += GAP
    line.rstrip()
    return line
