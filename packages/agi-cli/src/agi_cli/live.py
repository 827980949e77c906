"""What people see while something goes on: a live line on a terminal, plain lines elsewhere."""

from __future__ import annotations

import time
from collections.abc import Callable
from types import TracebackType
from typing import Protocol, Self, TextIO

from rich.console import Group, RenderableType
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.spinner import Spinner
from rich.table import Table
from rich.text import Text

from agi_cli.session import console
from agi_env.foreign_text import printable, printable_lines

PLAIN_INTERVAL = 5.0
"""Seconds between two plain lines of progress: a log file shall not be flooded."""

REFRESH_RATE = 8.0
"""How often the live line is drawn, per second."""

Status = Callable[[], "tuple[float | None, str]"]
"""Says how much is done, 0 to 1 or None where nobody knows, and what is going on, in words."""


class Display(Protocol):
    """Shows lines as they come, and a status that changes."""

    def __enter__(self) -> Self: ...
    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None: ...
    def line(self, text: str) -> None:
        """Say something that stays."""
        ...

    def tick(self) -> None:
        """The status may have changed."""
        ...


class TerminalDisplay:
    """Lines scroll up; what is below them is drawn anew until it is over, and then vanishes.

    Args:
        stream: A terminal.
        status: What the live line shows; it is asked from another thread.
        details: What stands below that line; nothing by default.
    """

    def __init__(
        self, stream: TextIO, status: Status, details: Callable[[], RenderableType] | None = None
    ) -> None:
        self._status = status
        self._details = details
        self._console = console(stream)
        self._spinner = Spinner("dots", style="cyan")
        self._live = Live(
            console=self._console,
            refresh_per_second=REFRESH_RATE,
            transient=True,
            redirect_stdout=False,
            redirect_stderr=False,
            get_renderable=self._drawn,
        )

    def __enter__(self) -> Self:
        self._live.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._live.stop()

    def line(self, text: str) -> None:
        """Say something that stays, above the live line."""
        self._console.print(Text(text))

    def tick(self) -> None:
        """The live line draws itself."""

    def _drawn(self) -> RenderableType:
        share, words = self._status()
        row = Table.grid(padding=(0, 1))
        cells: list[RenderableType] = [self._spinner]
        if share is not None:
            cells.append(ProgressBar(total=1.0, completed=share, width=30))
        row.add_row(*cells, Text(printable(words), overflow="ellipsis", no_wrap=True))
        return Group(row, self._details()) if self._details else row


class PlainDisplay:
    """Lines as they come, and the status now and then as a line of its own.

    Args:
        stream: A file or pipe.
        status: What a status line says.
        clock: Seconds that never go back.
        interval: Seconds between two status lines.
    """

    def __init__(
        self,
        stream: TextIO,
        status: Status,
        clock: Callable[[], float] = time.monotonic,
        interval: float = PLAIN_INTERVAL,
    ) -> None:
        self._stream = stream
        self._status = status
        self._clock = clock
        self._interval = interval
        self._next = clock() + interval

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Nothing is left to do: every line was written as it came."""

    def line(self, text: str) -> None:
        """Say something."""
        self._stream.write(f"{printable_lines(text)}\n")
        self._stream.flush()

    def tick(self) -> None:
        """Say the status, if it was not said lately."""
        if self._clock() >= self._next:
            self._next = self._clock() + self._interval
            self.line(self._status()[1])


class NoDisplay:
    """Shows nothing: the outcome is all that is wanted."""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Nothing was shown."""

    def line(self, text: str) -> None:
        """Keep it to oneself."""

    def tick(self) -> None:
        """Keep it to oneself."""


def display(
    stream: TextIO,
    status: Status,
    *,
    quiet: bool,
    details: Callable[[], RenderableType] | None = None,
) -> Display:
    """The display that suits a stream; details are for terminals alone."""
    if quiet:
        return NoDisplay()
    if stream.isatty():
        return TerminalDisplay(stream, status, details)
    return PlainDisplay(stream, status)
