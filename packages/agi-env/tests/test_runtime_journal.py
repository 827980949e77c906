"""The journal: what was flushed is there, and damage costs only what follows it."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agi_env.errors import ConflictError, InternalError, StateUnreadableError, StateUnwritableError
from agi_env.runtime.journal import RECOVERED, Journal, Record, read, scan

fields = st.dictionaries(
    st.text(min_size=1, max_size=8).map(lambda key: f"f_{key}"),
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(),
        lambda inner: st.lists(inner, max_size=3),
        max_leaves=4,
    ),
    max_size=3,
)
records = st.lists(fields, min_size=1, max_size=12).map(
    lambda many: [Record(n, 0.5 * n, 1, "fact", data) for n, data in enumerate(many, 1)]
)


def written(path: Path, count: int, epoch: int = 1) -> list[Record]:
    journal = Journal.open(path, epoch)
    added = [journal.append("fact", number=number) for number in range(count)]
    journal.close()
    return added


def lines(many: list[Record]) -> bytes:
    return b"".join(record.to_line() for record in many)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "journal"


def test_what_is_written_is_read_in_order_and_after_a_number(path: Path) -> None:
    added = written(path, 5)

    assert read(path).records == added
    assert [record.seq for record in read(path, after=3).records] == [4, 5]
    assert read(path, after=3).last_seq == 5
    assert path.stat().st_mode & 0o777 == 0o600


def test_a_journal_that_is_not_there_is_empty(path: Path) -> None:
    found = read(path)

    assert (found.records, found.last_seq, found.dropped_bytes) == ([], 0, 0)
    assert not found.settled


def test_a_later_epoch_goes_on_where_the_earlier_one_ended(path: Path) -> None:
    written(path, 2)
    written(path, 2, epoch=3)

    found = read(path)
    assert [(record.seq, record.epoch) for record in found.records] == [
        (1, 1),
        (2, 1),
        (3, 3),
        (4, 3),
    ]
    assert found.last_epoch == 3


def test_an_earlier_epoch_is_refused(path: Path) -> None:
    written(path, 1, epoch=3)

    with pytest.raises(ConflictError, match="epoch 3 follows epoch 2"):
        Journal.open(path, 2)


def test_a_torn_tail_is_cut_off_and_said(path: Path) -> None:
    added = written(path, 3)
    torn = added[-1].to_line()[:-5]
    path.write_bytes(lines(added[:2]) + torn)

    journal = Journal.open(path, 2)
    journal.append("fact", number=9)
    journal.close()

    assert journal.records[:2] == added[:2]
    kinds = [(record.kind, record.data) for record in read(path).records[2:]]
    assert kinds == [
        (RECOVERED, {"dropped_bytes": len(torn), "reason": "the last line is torn"}),
        ("fact", {"number": 9}),
    ]
    assert read(path).dropped_bytes == 0


def test_a_flipped_byte_ends_what_can_be_used(path: Path) -> None:
    added = written(path, 4)
    data = bytearray(path.read_bytes())
    data[len(lines(added[:2])) + 20] ^= 1
    path.write_bytes(data)

    found = read(path)

    assert found.records == added[:2]
    assert found.good_bytes + found.dropped_bytes == len(data)
    assert found.reason == "a checksum does not match"


def test_a_repeated_block_counts_once(path: Path) -> None:
    added = written(path, 5)
    path.write_bytes(lines(added[:3]) + lines(added[1:3]) + lines(added[3:]))

    assert read(path).records == added
    assert read(path).dropped_bytes == 0


def test_a_repeated_block_at_the_end_is_cut_off_and_said(path: Path) -> None:
    added = written(path, 3)
    path.write_bytes(lines(added) + lines(added[1:]))

    Journal.open(path, 1).close()

    found = read(path)
    assert found.records[:3] == added
    assert found.records[3].data["reason"] == "records are repeated"


def test_missing_records_end_what_can_be_used() -> None:
    added = [Record(number, 1.0, 1, "fact") for number in (1, 2, 4)]

    found = scan(lines(added))

    assert (found.records, found.reason) == (added[:2], "records are missing")


@given(records, st.data())
def test_any_cut_leaves_the_whole_lines_before_it(many: list[Record], data: st.DataObject) -> None:
    whole = lines(many)
    cut = data.draw(st.integers(0, len(whole)))

    found = scan(whole[:cut])

    assert found.records == many[: len(found.records)]
    assert found.good_bytes + found.dropped_bytes == cut
    assert found.good_bytes == len(lines(found.records))
    assert cut < len(lines(many[: len(found.records) + 1])) or cut == len(whole)


@given(records, st.data())
def test_any_flipped_bit_loses_nothing_before_it(many: list[Record], data: st.DataObject) -> None:
    whole = bytearray(lines(many))
    place = data.draw(st.integers(0, len(whole) - 1))
    whole[place] ^= 1 << data.draw(st.integers(0, 7))
    before = bytes(whole[:place]).count(b"\n")

    found = scan(bytes(whole))

    assert found.records == many[:before]
    assert found.reason


@given(records, st.data())
def test_any_repeated_block_changes_nothing(many: list[Record], data: st.DataObject) -> None:
    end = data.draw(st.integers(1, len(many)))
    start = data.draw(st.integers(0, end - 1))

    found = scan(lines(many[:end]) + lines(many[start:end]) + lines(many[end:]))

    assert found.records == many


@given(st.binary(max_size=200))
def test_any_bytes_are_met_without_an_exception(data: bytes) -> None:
    found = scan(data)

    assert found.records == []
    assert found.dropped_bytes == len(data)


@pytest.mark.parametrize("facts", [[], {}, {"seq": "1", "t": 1, "epoch": 1, "kind": "x"}])
def test_a_line_that_is_no_record_is_told_apart(facts: object) -> None:
    with pytest.raises(StateUnreadableError):
        Record.from_dict(facts)  # type: ignore[arg-type]


def test_a_field_may_not_shadow_what_every_record_has(path: Path) -> None:
    journal = Journal.open(path, 1)

    with pytest.raises(InternalError):
        journal.append("fact", seq=7)

    journal.close()


def test_a_closed_journal_takes_nothing_more(path: Path) -> None:
    journal = Journal.open(path, 1)
    journal.close()
    journal.close()

    with pytest.raises(StateUnwritableError):
        journal.append("fact")
    assert read(path).records == []


def test_a_missing_directory_is_said_with_its_path(tmp_path: Path) -> None:
    with pytest.raises(StateUnwritableError, match="no-such-dir"):
        Journal.open(tmp_path / "no-such-dir" / "journal", 1)
