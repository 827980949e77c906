"""A log that is followed is told once, whole, whatever its writer does meanwhile."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from agi_env.runtime.bounded_log import BoundedLog
from agi_env.runtime.followed_log import FollowedLog
from agi_env.runtime.logs import FollowedLogs

LIMIT = 4096


def test_what_is_new_is_told_once(tmp_path: Path) -> None:
    followed = FollowedLog(tmp_path / "some.log")
    assert followed.new() == ""
    log = BoundedLog(tmp_path / "some.log", LIMIT)
    log.write("one\ntwö"[:-1].encode() + "ö".encode()[:1])
    assert followed.new() == "one\ntw"
    assert followed.new() == ""
    log.write("ö".encode()[1:])
    assert followed.new() == "ö"
    log.close()
    assert followed.new() == ""


@given(writes=st.lists(st.integers(1, 700), max_size=30), close=st.booleans())
def test_a_reader_that_keeps_up_misses_nothing(
    tmp_path_factory, writes: list[int], close: bool
) -> None:
    path = tmp_path_factory.mktemp("log") / "some.log"
    log, followed, told = BoundedLog(path, LIMIT), FollowedLog(path), ""
    flood = "".join(f"{number:06d}\n" for number in range(3000))
    for count in writes:
        log.write(flood[:count].encode())
        flood = flood[count:]
        told += followed.new()
    if close:
        log.close()
        told += followed.new()
    assert told == "".join(f"{number:06d}\n" for number in range(3000))[: sum(writes)]


def test_a_reader_that_is_late_is_told_what_went(tmp_path: Path) -> None:
    log, followed = BoundedLog(tmp_path / "some.log", LIMIT), FollowedLog(tmp_path / "some.log")
    text = "".join(f"{number:06d}\n" for number in range(5000))
    log.write(text[:700].encode())
    told = followed.new()
    log.write(text[700:].encode())
    told += followed.new()
    log.close()
    assert followed.new() == ""
    beginning, _, rest = told.partition("\n[... ")
    dropped, _, end = rest.partition(" bytes were dropped here ...]\n")
    assert text.startswith(beginning) and text.endswith(end)
    assert len(beginning) + int(dropped) + len(end) == len(text)


def test_a_log_that_gets_another_name_is_the_same(tmp_path: Path) -> None:
    (tmp_path / "logs").mkdir()
    logs = FollowedLogs(tmp_path)
    first = BoundedLog(tmp_path / "logs/runner.log", LIMIT)
    first.write(b"first\n")
    assert list(logs.new()) == [("runner.log", "first\n")]
    first.write(b"more\n")
    first.close()
    BoundedLog(tmp_path / "logs/runner.log", LIMIT).write(b"second\n")
    assert list(logs.new()) == [("runner.log", "second\n"), ("runner.log.1", "more\n")]


def test_the_program_ends_when_it_is_told_with_all_that_is_there(tmp_path: Path) -> None:
    (tmp_path / "logs").mkdir()
    log = BoundedLog(tmp_path / "logs/executor-0-0.log", LIMIT)
    log.write(b"one\n")
    words = [sys.executable, "-m", "agi_env.runtime.logs", "--follow", str(tmp_path)]
    with subprocess.Popen(
        words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as program:
        assert program.stdout is not None
        assert json.loads(program.stdout.readline()) == {
            "file": "executor-0-0.log",
            "text": "one\n",
        }
        log.write(b"two\n")
        out, _ = program.communicate("\n", timeout=30)
    assert "".join(json.loads(line)["text"] for line in out.splitlines()) == "two\n"
