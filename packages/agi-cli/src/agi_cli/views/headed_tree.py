"""Trees whose head names a file."""

from __future__ import annotations

from rich.console import Console, ConsoleOptions, RenderResult
from rich.segment import Segment
from rich.text import Text
from rich.tree import Tree


class HeadedTree:
    """Branches below a line that stays in one piece, so that a path in it can be copied.

    Args:
        head: That line.
    """

    def __init__(self, head: str) -> None:
        self._head = Text(head, style="bold", no_wrap=True, overflow="ignore")
        self._tree = Tree("")

    def add(self, label: Text) -> Tree:
        """A branch, which may have others."""
        return self._tree.add(label)

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        yield self._head
        for line in console.render_lines(self._tree, options, pad=False)[1:]:
            yield from line
            yield Segment.line()
