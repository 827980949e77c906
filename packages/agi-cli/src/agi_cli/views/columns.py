"""The columns of a table: how wide each is, and what goes where a terminal is narrow."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from rich.cells import cell_len
from rich.text import Text

GAP = 2
"""Cells between two columns."""
INDENT = 2
"""Cells before the tiers of a row below its first."""
COMFORTABLE, TIGHT = 24, 12
"""Cells in which words read well, and those in which they can be read at all."""
_PIECES = re.compile(r"[^ _]*[ _]*")
"""A head may be broken behind blanks and underscores."""
LONG = 48
"""Cells of the longest word for which prose has room: ids are shorter, and paths often longer."""


@dataclass(frozen=True, slots=True)
class Column:
    """What is below one head.

    Attributes:
        head: Its name, which may have several lines.
        cells: Its texts from top to bottom.
        right: They end at one place rather than begin there, as numbers do.
        prose: They are words, which may be put below each other.
        moment: They are dates with a time to the second.
        width: Cells that it gets; 0: as many as it needs.
    """

    head: str
    cells: tuple[Text, ...]
    right: bool = False
    prose: bool = False
    moment: bool = False
    width: int = 0

    @property
    def empty(self) -> bool:
        """There are cells, and none says anything."""
        return bool(self.cells) and not any(self.cells)

    @property
    def natural(self) -> int:
        """Cells in which every text has its lines as they are."""
        lines = (line for cell in self.cells for line in cell.plain.split("\n"))
        return max(self.head_width, *map(cell_len, lines), 0)

    @property
    def head_width(self) -> int:
        """Cells that the head takes."""
        return max(map(cell_len, self.head.split("\n")))

    @property
    def longest_word(self) -> int:
        """Cells that its longest word takes, but for paths and the like."""
        cells = (cell for cell in self.cells if not cell.no_wrap)
        words = (word for cell in cells for word in cell.plain.split())
        return max(self.head_width, *map(cell_len, words), 0)

    def brief(self) -> Column:
        """The same without the seconds of its dates."""
        if not self.moment:
            return self
        cells = (cell[: -len(":00")] if cell else cell for cell in self.cells)
        return replace(self, cells=tuple(cells))

    def high(self) -> Column:
        """The same with its head on as many lines as make the column narrower."""
        pieces = _PIECES.findall(self.head)
        room = max(replace(self, head="").natural, *(cell_len(each.rstrip()) for each in pieces))
        lines = [""]
        for piece in pieces:
            if cell_len((lines[-1] + piece).rstrip()) > room:
                lines.append("")
            lines[-1] += piece
        return replace(self, head="\n".join(line.rstrip() for line in lines))


Tier = tuple[Column, ...]
"""Columns beside each other."""


def fitted(
    columns: Sequence[Column], width: int | None, may_go: Sequence[str] = ()
) -> tuple[Tier, ...]:
    """The columns that are shown, each with its width, in tiers below each other.

    Nothing but words of prose is ever put on another line: an id, a state, a date or a number that
    is broken can be neither read nor copied. What does not fit is made to, by the first of these
    steps that is enough, each on top of those before it:

    1. columns without any text go;
    2. dates lose their seconds;
    3. the columns that ``may_go`` go, one after another;
    4. heads are put on several lines;
    5. prose becomes as narrow as can be read;
    6. the columns are put into tiers: a row has several lines, those after its first indented; in
       the room of these, what had to go comes back.

    Prose has `COMFORTABLE` cells, or what it needs, but for the fifth step, and shares what the
    others leave. A single text that is longer than a line is for the terminal to wrap.

    Args:
        columns: All there are.
        width: Cells of a line; None: as many as it takes, as in a pipe, where all columns stay.
        may_go: Heads of the columns that can be done without, the first to go first.

    Returns:
        One tier, or several as the last step has them.
    """
    if width is None:
        return (tuple(_wide(column, column.natural) for column in columns),)
    steps = list(_steps(tuple(columns), may_go))
    for shown, least in steps:
        tier = _side_by_side(shown, width, least)
        if tier:
            return (tier,)
    in_tiers = [tuple(_tiers(shown, width)) for shown, _ in steps]
    return next(tiers for tiers in in_tiers if len(tiers) == len(in_tiers[-1]))


def _steps(columns: Tier, may_go: Sequence[str]) -> Iterator[tuple[Tier, int]]:
    """Ever less to show, and the cells that prose has at least."""
    yield columns, COMFORTABLE
    columns = tuple(column for column in columns if not column.empty)
    yield columns, COMFORTABLE
    columns = tuple(column.brief() for column in columns)
    yield columns, COMFORTABLE
    for head in may_go:
        columns = tuple(column for column in columns if column.head != head)
        yield columns, COMFORTABLE
    columns = tuple(column.high() for column in columns)
    yield columns, COMFORTABLE
    yield columns, TIGHT


def _tiers(columns: Tier, width: int) -> Iterator[Tier]:
    """As many columns beside each other as there is room for, and the next below them."""
    first, room = 0, width
    for end in range(1, len(columns) + 1):
        if end == len(columns) or not _side_by_side(columns[first : end + 1], room, COMFORTABLE):
            yield _side_by_side(columns[first:end], room, COMFORTABLE) or _alone(
                columns[first], room
            )
            first, room = end, width - INDENT


def _alone(column: Column, room: int) -> Tier:
    """A column that is wider than a line."""
    return (_wide(column, max(room, TIGHT) if column.prose else column.natural),)


def _side_by_side(columns: Tier, width: int, least: int) -> Tier:
    """The columns with their widths; none where they do not fit."""
    widths = [_least(column, least, last=column is columns[-1]) for column in columns]
    room = width - sum(widths) - GAP * (len(columns) - 1)
    if room < 0:
        return ()
    wants = {place: column.natural - widths[place] for place, column in enumerate(columns)}
    for left, place in zip(
        range(len(columns), 0, -1), sorted(wants, key=lambda place: wants[place]), strict=True
    ):
        more = max(0, min(wants[place], room // left))
        widths[place] += more
        room -= more
    return tuple(map(_wide, columns, widths))


def _least(column: Column, least: int, *, last: bool) -> int:
    """The cells without which a column is not shown; a long word of the last may stand out."""
    if not column.prose:
        return column.natural
    stands_out = last and column.longest_word > LONG
    words = column.head_width if stands_out else column.longest_word
    return min(column.natural, max(least, words))


def _wide(column: Column, width: int) -> Column:
    return replace(column, width=width)
