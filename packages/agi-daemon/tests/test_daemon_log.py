from __future__ import annotations

import json
import logging
from pathlib import Path

import pytest

from agi_daemon.log import get_log, open_log
from agi_env.errors import StateUnwritableError

log = get_log("agi_daemon.tests")


def test_lines_are_json_with_their_facts(tmp_path: Path) -> None:
    with open_log(tmp_path / "log") as path:
        log.info("begun", run="r1", path=tmp_path)
        log.debug("too fine")
        log.error("broken", error=ValueError("why"), password="hunter2", private_key="k")
        logging.getLogger("somebody.else").warning("a library says %d", 3)
    first, second, third = (json.loads(line) for line in path.read_text().splitlines())
    assert (first["event"], first["run"], first["path"]) == ("begun", "r1", str(tmp_path))
    assert second["trace"].endswith("ValueError: why\n")
    assert "hunter2" not in path.read_text()
    assert third["event"] == "a library says 3"
    assert path.stat().st_mode & 0o777 == 0o600


def test_it_stays_within_its_bounds(tmp_path: Path) -> None:
    with open_log(tmp_path / "log", most_bytes=10_000):
        for number in range(1000):
            log.info("one more", number=number)
    sizes = {path.name: path.stat().st_size for path in tmp_path.iterdir()}
    assert set(sizes) == {"log", "log.1"}
    assert all(size <= 10_000 for size in sizes.values())


def test_after_its_end_nothing_is_written(tmp_path: Path) -> None:
    with open_log(tmp_path / "log") as path:
        pass
    log.info("late")
    assert path.read_text() == ""


def test_a_full_disk_disturbs_nobody(capsys: pytest.CaptureFixture[str]) -> None:
    with open_log(Path("/dev/full"), most_bytes=0):
        log.info("lost")
    assert capsys.readouterr().err == ""


def test_a_place_that_cannot_be_written(tmp_path: Path) -> None:
    with pytest.raises(StateUnwritableError), open_log(tmp_path / "missing" / "log"):
        pass
