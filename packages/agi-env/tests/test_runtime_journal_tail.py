"""Following a journal: every record once, across cuts, repeats and long lines."""

from __future__ import annotations

from pathlib import Path

import pytest

from agi_env.runtime.journal import Journal, read
from agi_env.runtime.journal_tail import CHUNK_BYTES, JournalTail


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "journal"


def numbers(tail: JournalTail) -> list[int]:
    return [record.seq for record in tail.poll()]


def test_records_come_as_they_are_written(path: Path) -> None:
    tail = JournalTail(path)
    assert numbers(tail) == []

    journal = Journal.open(path, 1)
    journal.append("a")
    assert numbers(tail) == [1]
    journal.append("b")
    journal.append("settled")
    assert not tail.settled
    assert numbers(tail) == [2, 3]
    assert tail.settled
    assert numbers(tail) == []

    journal.close()
    tail.close()


def test_records_up_to_a_number_are_left_out(path: Path) -> None:
    journal = Journal.open(path, 1)
    for _ in range(4):
        journal.append("a")
    journal.close()
    tail = JournalTail(path, after=2)

    assert numbers(tail) == [3, 4]

    tail.close()


def test_half_a_line_waits_for_its_other_half(path: Path) -> None:
    journal = Journal.open(path, 1)
    line = journal.append("a").to_line()
    journal.close()
    path.write_bytes(line[:10])
    tail = JournalTail(path)

    assert numbers(tail) == []
    path.write_bytes(line)
    assert numbers(tail) == [1]

    tail.close()


def test_a_writer_that_cuts_off_damage_is_followed_without_a_gap(path: Path) -> None:
    journal = Journal.open(path, 1)
    first = journal.append("a")
    journal.close()
    with path.open("ab") as file:
        file.write(b"x" * 300 + b"\n" + first.to_line())
    tail = JournalTail(path)
    assert numbers(tail) == [1]

    journal = Journal.open(path, 2)
    journal.append("b")
    journal.close()

    assert [(record.seq, record.kind) for record in tail.poll()] == [
        (2, "journal_recovered"),
        (3, "b"),
    ]
    tail.close()


def test_a_line_longer_than_a_chunk_and_many_chunks_are_read(path: Path) -> None:
    journal = Journal.open(path, 1)
    journal.append("long", text="x" * (3 * CHUNK_BYTES))
    for _ in range(3):
        journal.append("half", text="y" * (CHUNK_BYTES // 2))
    journal.close()
    tail = JournalTail(path)

    seen = []
    while more := tail.poll():
        seen += more

    assert seen == read(path).records
    tail.close()
