"""The console that everything people see goes through, whoever wrote it."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from rich.console import Console, ConsoleOptions, RenderableType
from rich.segment import Segment
from rich.text import Text

from agi_env.foreign_text import printable_lines


class SafeConsole(Console):
    """A console of which only rich itself moves the cursor and sets colours.

    Rich drops a few control characters and passes the others on, ESC among them.
    """

    def render_str(self, text: str, **options: Any) -> Text:
        """What a plain text becomes; the width of a column is measured by it too."""
        return super().render_str(printable_lines(text), **options)

    def render(
        self, renderable: RenderableType, options: ConsoleOptions | None = None
    ) -> Iterable[Segment]:
        """The pieces of anything that can be shown."""
        return map(_inert, super().render(renderable, options))


def _inert(segment: Segment) -> Segment:
    if segment.control or segment.text.isprintable():
        return segment
    return Segment(printable_lines(segment.text), segment.style)
