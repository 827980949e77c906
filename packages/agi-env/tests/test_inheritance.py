"""What a run takes over from another: linked, checked, recorded; and nothing that does not hold."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from agi_env.errors import RequestInvalidError, StateUnreadableError
from agi_env.runtime import attempt, clear_run
from agi_env.runtime import dispatch_events as events
from agi_env.runtime.causes import EndCause, EndKind
from agi_env.runtime.history import History
from agi_env.runtime.inheritance import INHERITANCE_FILE, Inheritance, Legacy
from agi_env.runtime.slot_commands import slot_event
from agi_env.runtime.spec import RunSpec, SlotSpec
from agi_env.runtime.work_area import WorkArea

SPEC = RunSpec(
    "r2", "a_project", "a", 4, "/in", "/out", "/build", "rel", "plan", (SlotSpec(0, "h"),)
)


@pytest.fixture
def earlier(tmp_path: Path) -> Inheritance:
    """The result of one partition of a run r1."""
    directory = WorkArea(tmp_path, "r1").attempt(0, 3, 2)
    (attempt.create(directory) / "file.txt").write_text("content")
    stored = attempt.store(directory, attempt.encode(41))
    legacy = Legacy(0, 3, 2, 0.5, 0.25, stored.sha256, stored.bytes)
    return Inheritance("r1", str(tmp_path), {"p0": legacy})


def test_a_result_is_in_both_areas_afterwards(tmp_path: Path, earlier: Inheritance) -> None:
    area = WorkArea(tmp_path, "r2")
    for _ in range(2):
        facts = earlier.take("p0", area)
    assert (facts["id"], facts["run"], facts["attempt"]) == ("p0", "r1", 2)
    record = {"kind": "partition_inherited", "epoch": 1, "t": 0.0, **facts}
    accepted = History.of([record]).finished["p0"]
    assert accepted == earlier.accepted("p0")
    directory = area.attempt(0, accepted.epoch, accepted.attempt)
    assert attempt.load(directory, accepted.sha256) == b"41"
    assert (directory / "out" / "file.txt").read_text() == "content"


@pytest.mark.parametrize("damaged", ["result.json", "out/file.txt"])
def test_a_damaged_result_is_not_taken(tmp_path: Path, earlier: Inheritance, damaged: str) -> None:
    (WorkArea(tmp_path, "r1").attempt(0, 3, 2) / damaged).write_text("other")
    with pytest.raises(StateUnreadableError):
        earlier.take("p0", WorkArea(tmp_path, "r2"))


def test_an_inheritance_is_read_as_it_was_written(tmp_path: Path, earlier: Inheritance) -> None:
    assert Inheritance.read(tmp_path) is None
    (tmp_path / INHERITANCE_FILE).write_text(earlier.to_json())
    assert Inheritance.read(tmp_path) == earlier
    (tmp_path / INHERITANCE_FILE).write_text(json.dumps({"schema": "agi.inheritance.v9"}))
    with pytest.raises(StateUnreadableError, match="schema"):
        Inheritance.read(tmp_path)


def test_what_was_begun_or_decided_here_is_not_taken_again(earlier: Inheritance) -> None:
    assert earlier.missing(History()) == ["p0"]
    assert earlier.missing(History(attempts={"p0": 1})) == []


CAUSE = EndCause(EndKind.HOST_UNREACHABLE, detail="silent")


@pytest.mark.parametrize(
    ("command", "event"),
    [
        ({"op": "drain", "slot": 0, "reason": "no more"}, events.SlotDrained(0, "no more", 1.0)),
        (
            {"op": "worker_gone", "slot": 0, "cause": CAUSE.to_dict()},
            events.WorkerGone(0, CAUSE, 1.0),
        ),
        (
            {"op": "give_up_slot", "slot": 0, "reason": "why", "cause": CAUSE.to_dict()},
            events.SlotGivenUp(0, "why", 1.0, CAUSE),
        ),
        ({"op": "give_up_slot", "slot": 0, "reason": "why"}, events.SlotGivenUp(0, "why", 1.0)),
        ({"op": "cancel"}, None),
    ],
)
def test_a_command_about_a_slot_is_an_event(command: dict[str, Any], event: Any) -> None:
    assert slot_event(command, SPEC, 1.0) == event


@pytest.mark.parametrize(
    "command",
    [
        {"op": "drain", "slot": 7},
        {"op": "worker_gone", "slot": 0, "cause": {"kind": "bored"}},
        {"op": "worker_gone", "slot": 0, "cause": {}},
    ],
)
def test_a_command_about_no_slot_or_with_no_cause_is_refused(command: dict[str, Any]) -> None:
    with pytest.raises(RequestInvalidError):
        slot_event(command, SPEC, 1.0)


def test_nothing_is_cleared_where_nothing_is(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    assert clear_run.main([str(tmp_path / "none")]) == 0
    assert json.loads(capfd.readouterr().out) == {"ended": 0}
    assert clear_run.main([]) == RequestInvalidError.exit_code
