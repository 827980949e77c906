"""How an attach waits: long while nothing happens, at once when something does, not too often.

The processors are the run's. So an attach sleeps until the journal is written, and when records
keep coming it lets them gather for a moment: a hundred together cost little more than one. A runner
that ends and a command that arrives wake it in any case.
"""

from __future__ import annotations

import os
import select
import time
from pathlib import Path
from types import TracebackType

from agi_env.runtime.directory_watch import DirectoryWatch

GATHER_S = 0.2
"""For how long records gather when they come in quick succession, in seconds."""

_STDIN, _STDOUT = 0, 1
_QUICK_S = 0.2
_QUICK_AT_FIRST = 10
"""So many times in quick succession records are told at once; a short run is never held up."""
_BACKSTOP_S = 1.0
_SHORTEST_S, _LONGEST_S, _SLOWER = 0.005, 0.05, 1.3
"""The pauses where changes cannot be noticed."""


class Waiting:
    """Waits for a runner's journal, its end, and commands on stdin."""

    def __init__(self, run_dir: Path, pid: int | None) -> None:
        """Begin to notice; what is there already has still to be looked at.

        Args:
            run_dir: The run's directory.
            pid: The runner's supervisor; none where there is none.
        """
        self._watch = DirectoryWatch(run_dir)
        self._end = _handle(pid)
        self._asleep, self._alert = select.poll(), select.poll()
        for poller in (self._asleep, self._alert):
            poller.register(_STDIN, select.POLLIN)
            poller.register(_STDOUT, 0)  # only whether its reader has gone
            if self._end >= 0:
                poller.register(self._end, select.POLLIN)
        if self._watch.fd >= 0:
            self._alert.register(self._watch.fd, select.POLLIN)
        self._pause = _SHORTEST_S
        self._rested_at = 0.0
        self._quick = 0

    def begin(self) -> None:
        """Notice what changes from now on; call it before looking."""
        self._watch.clear()

    def wait(self, told: bool) -> bool:
        """Wait until it is time to look again; true when there is something on stdin.

        Args:
            told: Whether the last look found records.

        Raises:
            BrokenPipeError: The reader of stdout has gone.
        """
        if told and self._in_quick_succession():
            ready = self._ready(self._asleep, GATHER_S)
            self._rested_at = time.monotonic()
            if ready:
                return _STDIN in ready
        return _STDIN in self._ready(self._alert, self._patience(told))

    def hear_no_more(self) -> None:
        """Stdin has ended."""
        for poller in (self._asleep, self._alert):
            poller.unregister(_STDIN)

    def __enter__(self) -> Waiting:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._watch.close()
        if self._end >= 0:
            os.close(self._end)

    def _ready(self, poller: select.poll, seconds: float) -> set[int]:
        ready = {fd for fd, _ in poller.poll(seconds * 1000)}
        if _STDOUT in ready:
            raise BrokenPipeError("the reader of stdout has gone")
        if self._end in ready:
            # Its supervisor has ended; what is below it may need a moment more.
            for each in (self._asleep, self._alert):
                each.unregister(self._end)
            os.close(self._end)
            self._end = -1
        return ready

    def _in_quick_succession(self) -> bool:
        now = time.monotonic()
        self._quick = self._quick + 1 if now - self._rested_at < _QUICK_S else 0
        self._rested_at = now
        return self._quick > _QUICK_AT_FIRST

    def _patience(self, told: bool) -> float:
        if self._end >= 0 and self._watch.fd >= 0:
            return _BACKSTOP_S
        self._pause = _SHORTEST_S if told else min(self._pause * _SLOWER, _LONGEST_S)
        return self._pause


def _handle(pid: int | None) -> int:
    """What tells of a process's end; negative when it has ended."""
    try:
        return -1 if pid is None else os.pidfd_open(pid)
    except ProcessLookupError:
        return -1
