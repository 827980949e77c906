"""Bounded logs: the beginning and the end stay, the size holds, nothing ever raises."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agi_env.runtime.bounded_log import BoundedLog, read, tail

LIMIT = 4096


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "some.log"


def occupied(path: Path) -> int:
    return sum(each.stat().st_size for each in path.parent.iterdir())


def test_a_small_log_is_kept_as_it_is(path: Path) -> None:
    log = BoundedLog(path, LIMIT)
    log.write(b"one\n")
    log.write(b"two\n")
    log.close()
    log.close()

    assert path.read_bytes() == b"one\ntwo\n"
    assert list(path.parent.iterdir()) == [path]
    assert path.stat().st_mode & 0o777 == 0o600


def test_a_flood_keeps_its_beginning_and_its_end_and_says_what_went(path: Path) -> None:
    log = BoundedLog(path, LIMIT)
    flood = b"".join(b"line %07d\n" % number for number in range(100_000))
    for start in range(0, len(flood), 60_000):
        log.write(flood[start : start + 60_000])
        assert occupied(path) <= LIMIT
    log.close()

    kept = path.read_bytes()
    beginning, note, end = kept.partition(b"\n[... ")
    dropped, _, end = end.partition(b" bytes were dropped here ...]\n")
    assert note
    assert flood.startswith(beginning)
    assert flood.endswith(end)
    assert len(beginning) + int(dropped) + len(end) == len(flood)
    assert len(kept) <= LIMIT
    assert len(end) >= LIMIT // 4


def test_ten_megabytes_leave_ten_thousand_bytes(path: Path) -> None:
    log = BoundedLog(path, 10_000)
    piece = b"z" * 1_000_000
    for _ in range(10):
        log.write(piece)
    log.write(b"the end")
    log.close()

    assert occupied(path) <= 10_000
    assert tail(path, 7) == b"the end"


def test_a_log_whose_writer_was_killed_is_read_whole(path: Path) -> None:
    log = BoundedLog(path, LIMIT)
    flood = bytes(range(256)) * 100
    log.write(flood)

    seen = read(path)

    assert seen.startswith(flood[:1000])
    assert seen.endswith(flood[-1000:])
    assert log.tail(300) == flood[-300:]
    log.close()
    assert path.read_bytes() == seen


def test_the_log_of_an_earlier_writer_is_set_aside_whole(path: Path) -> None:
    killed = BoundedLog(path, LIMIT)
    killed.write(b"a" * 2 * LIMIT)
    seen = read(path)

    log = BoundedLog(path, LIMIT)
    log.write(b"new")
    log.close()

    assert path.read_bytes() == b"new"
    assert path.with_name("some.log.1").read_bytes() == seen
    killed.close()


def test_a_disk_that_refuses_ends_nothing(tmp_path: Path) -> None:
    log = BoundedLog(tmp_path / "not there" / "some.log", LIMIT)
    log.write(b"x" * 10 * LIMIT)

    assert log.lost_bytes == 10 * LIMIT


def test_a_full_disk_is_counted_and_tried_again(path: Path) -> None:
    log = BoundedLog(path, LIMIT)
    full = path.with_name("some.log.tail-0")
    full.symlink_to("/dev/full")
    log.write(b"x" * 3000)
    full.unlink()

    assert log.lost_bytes == LIMIT // 4
    assert path.read_bytes() == b"x" * path.stat().st_size
    log.close()
    assert path.read_bytes().endswith(b"\n[... the disk did not take 1024 bytes ...]\n")


def test_the_tail_of_no_log_is_empty(path: Path) -> None:
    assert tail(path) == b""


@given(st.lists(st.binary(max_size=3000), max_size=12))
def test_whatever_the_pieces_beginning_and_end_fit(
    tmp_path_factory: pytest.TempPathFactory, pieces: list[bytes]
) -> None:
    path = tmp_path_factory.mktemp("log") / "some.log"
    log = BoundedLog(path, LIMIT)
    for piece in pieces:
        log.write(piece)
    whole = b"".join(pieces)

    assert log.tail(500) == whole[-500:]
    log.close()

    kept = path.read_bytes()
    assert len(kept) <= LIMIT
    assert kept[:1900] == whole[:1900]
    assert kept[-1000:] == whole[-1000:]
