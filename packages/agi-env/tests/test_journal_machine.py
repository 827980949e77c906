"""The journal through the lives of several writers, with damage between them."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from agi_env.runtime.journal import RECOVERED, Journal, Record, read


class JournalMachine(RuleBasedStateMachine):
    """What was on disk and readable stays; what is cut off is said by the next writer."""

    def __init__(self) -> None:
        super().__init__()
        self.folder = Path(tempfile.mkdtemp())
        self.path = self.folder / "journal"
        self.epoch = 1
        self.kept: list[Record] = []
        self.damaged = False
        self.journal: Journal | None = Journal.open(self.path, 1)

    @precondition(lambda self: self.journal is not None)
    @rule(number=st.integers())
    def append(self, number: int) -> None:
        assert self.journal is not None
        self.kept.append(self.journal.append("fact", number=number))

    @precondition(lambda self: self.journal is not None)
    @rule()
    def die(self) -> None:
        assert self.journal is not None
        self.journal.close()
        self.journal = None

    @precondition(lambda self: self.journal is None and not self.damaged and self.kept)
    @rule(cut=st.integers(1, 2000))
    def tear(self, cut: int) -> None:
        data = self.path.read_bytes()
        self._damage(data[: max(0, len(data) - cut)])

    @precondition(lambda self: self.journal is None and not self.damaged and self.kept)
    @rule(place=st.integers(0, 10_000), bit=st.integers(0, 7))
    def flip(self, place: int, bit: int) -> None:
        data = bytearray(self.path.read_bytes())
        data[place % len(data)] ^= 1 << bit
        self._damage(bytes(data))

    @precondition(lambda self: self.journal is None and not self.damaged and self.kept)
    @rule(start=st.integers(0, 100))
    def duplicate(self, start: int) -> None:
        lines = self.path.read_bytes().splitlines(keepends=True)
        self._damage(b"".join(lines + lines[start % len(lines) :]))

    def _damage(self, data: bytes) -> None:
        self.path.write_bytes(data)
        found = read(self.path)
        assert found.records == self.kept[: len(found.records)]
        self.kept = found.records
        self.damaged = bool(found.dropped_bytes)

    @precondition(lambda self: self.journal is None)
    @rule()
    def take_up(self) -> None:
        self.epoch += 1
        self.journal = Journal.open(self.path, self.epoch)
        found = [*self.journal.records]
        assert found[: len(self.kept)] == self.kept
        said = [each for each in found[len(self.kept) :] if each.kind == RECOVERED]
        assert len(said) == len(found) - len(self.kept) == int(self.damaged)
        self.kept, self.damaged = found, False

    @invariant()
    def what_is_on_disk_is_what_was_written(self) -> None:
        if self.journal is not None:
            self.journal.flush()
        assert read(self.path).records == self.kept

    def teardown(self) -> None:
        if self.journal is not None:
            self.journal.close()
        shutil.rmtree(self.folder)


TestJournalMachine = JournalMachine.TestCase
TestJournalMachine.settings = settings(max_examples=40, stateful_step_count=25, deadline=None)
