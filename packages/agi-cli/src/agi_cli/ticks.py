"""A ladder for each host that fills with ticks while the doctor climbs."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Protocol, TextIO

from rich.console import RenderableType
from rich.live import Live

from agi_cli.live import REFRESH_RATE
from agi_cli.session import console
from agi_cli.views.diagnosis import ladders
from agi_cluster.model.diagnosis import Step


class Ticks(Protocol):
    """Shows steps as they come."""

    def take(self, step: Step) -> None:
        """One more."""
        ...


class NoTicks:
    """Shows nothing: the report is all that is wanted."""

    def take(self, step: Step) -> None:
        """Keep it to oneself."""


class LiveTicks:
    """The steps that came until now, drawn anew with each."""

    def __init__(self) -> None:
        self._steps: list[Step] = []

    def take(self, step: Step) -> None:
        """One more."""
        self._steps.append(step)

    def drawn(self) -> RenderableType:
        """All that came."""
        return ladders(tuple(self._steps))


@contextmanager
def ticks(stream: TextIO, *, quiet: bool) -> Iterator[Ticks]:
    """What suits a stream: a live table on a terminal, which vanishes at the end, or nothing."""
    if quiet or not stream.isatty():
        yield NoTicks()
        return
    shown = LiveTicks()
    with Live(
        console=console(stream),
        refresh_per_second=REFRESH_RATE,
        transient=True,
        redirect_stdout=False,
        redirect_stderr=False,
        get_renderable=shown.drawn,
    ):
        yield shown
