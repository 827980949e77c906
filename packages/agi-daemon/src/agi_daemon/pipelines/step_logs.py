"""What the steps of an execution printed: once as far as it is, or as it comes."""

from __future__ import annotations

import asyncio
import codecs
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path

from agi_daemon.pipelines import step_directory
from agi_daemon.pipelines.run_record import PipelineRunRecord

_PIECE = 64 * 1024
_PAUSE_S = 0.25
"""How often a log that is followed is looked at; who follows it has asked for it."""


class StepLogs:
    """The logs of one execution.

    Args:
        folder: Where the directories of executions are.
        record: Reads the execution.
        step: Only this step; empty: all, in their order.
    """

    def __init__(self, folder: Path, record: Callable[[], PipelineRunRecord], step: str) -> None:
        self._folder = folder
        self._record = record
        self._step = step
        self._shown: dict[Path, int] = {}
        self._decoders: dict[Path, codecs.IncrementalDecoder] = {}

    async def read(self) -> AsyncIterator[tuple[str, str]]:
        """Yield what is there, each piece with its step."""
        for step, place in self._places():
            data = await asyncio.to_thread(step_directory.log, place)
            for text in _pieces(self._new(place, data)):
                yield step, text

    async def follow(self) -> AsyncIterator[tuple[str, str]]:
        """Yield what is there and what comes, until the execution is settled."""
        settled = False
        while not settled:
            settled = self._record().run.state.settled  # asked first: all before is read below
            async for piece in self.read():
                yield piece
            if not settled:
                await asyncio.sleep(_PAUSE_S)

    def _places(self) -> Iterator[tuple[str, Path]]:
        run = self._record().run
        for index, step in enumerate(run.steps):
            if step.attempt and self._step in ("", step.step):
                yield step.step, step_directory.place_of(self._folder, run.id, index, step.attempt)

    def _new(self, place: Path, data: bytes) -> str:
        """The text after what was shown; of a log that is longer than it may be, the end is."""
        decoder = self._decoders.setdefault(place, codecs.getincrementaldecoder("utf-8")("replace"))
        text = decoder.decode(data[self._shown.get(place, 0) :])
        self._shown[place] = len(data)
        return text


def _pieces(text: str) -> Iterator[str]:
    for start in range(0, len(text), _PIECE):
        yield text[start : start + _PIECE]
