"""A request id makes a change happen once: repeated, all at once, and across a crash."""

from __future__ import annotations

import threading
import uuid
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

CALLERS = 10
STOP = "DaemonService.StopDaemon"


def new_id() -> str:
    return str(uuid.uuid4())


def test_a_repeat_has_the_first_answer_and_changes_nothing(
    world: Any, wire: Any, a_lasting_change: Any
) -> None:
    request, mark = world.filled(a_lasting_change.request), new_id()
    first = wire.call(a_lasting_change.name, request, request_id=mark)
    world.settle(first)
    before = world.state()
    again = wire.call(a_lasting_change.name, request, request_id=mark)
    assert again.name == first.name
    assert world.state() == before
    if a_lasting_change.makes not in ("runs", "installations", "benchmarks", "pipeline_runs"):
        assert again == first


def test_the_spelling_of_an_id_means_nothing(world: Any, wire: Any) -> None:
    request, mark = world.filled({"app": "{app}", "args": {"parts": 1}}), new_id()
    first = wire.call("PlanService.CreatePlan", request, request_id=mark)
    for spelling in (mark.upper(), mark.replace("-", ""), f"{{{mark}}}"):
        again = wire.call("PlanService.CreatePlan", request, request_id=spelling)
        assert again.name == first.name


def test_the_order_of_keys_means_nothing(world: Any, wire: Any) -> None:
    keys = [f"key{number}" for number in range(50)]
    args = {"parts": 1, **{key: {"x": 1, "y": 2} for key in keys}}
    turned = {**{key: {"y": 2, "x": 1} for key in reversed(keys)}, "parts": 1}
    mark, app = new_id(), world.words["app"]
    first = wire.call("PlanService.CreatePlan", {"app": app, "args": args}, request_id=mark)
    again = wire.call("PlanService.CreatePlan", {"app": app, "args": turned}, request_id=mark)
    assert again.name == first.name


def test_many_at_once_make_one_thing(world: Any, wire: Any, a_lasting_change: Any) -> None:
    request, mark = world.filled(a_lasting_change.request), new_id()
    together = threading.Barrier(CALLERS)
    makes = a_lasting_change.makes
    # The runs of a benchmark have request ids of their own.
    tables = [makes] if makes == "benchmarks" else ["requests", makes]
    before = {table: world.rows(table) for table in tables if table}

    def ask(_: int) -> Any:
        together.wait(timeout=10)
        return wire.call(a_lasting_change.name, request, request_id=mark)

    with ThreadPoolExecutor(CALLERS) as callers:
        answers = list(callers.map(ask, range(CALLERS)))
    assert len({answer.name for answer in answers}) == 1
    world.settle(answers[0])
    for table, count in before.items():
        assert world.rows(table) == count + 1, table


def test_a_refused_change_leaves_its_id_free(world: Any, wire: Any) -> None:
    mark = new_id()
    asked = {"app": world.words["app"], "request_id": mark}
    assert wire.refusal("RunService.StartRun", asked, plan="plans/none").code == "PLAN_NOT_FOUND"
    world.settle(wire.call("RunService.StartRun", asked, mode=0))


def test_other_content_under_the_same_id_is_refused(
    world: Any, wire: Any, a_lasting_change: Any
) -> None:
    request, mark = world.filled(a_lasting_change.request), new_id()
    world.settle(wire.call(a_lasting_change.name, request, request_id=mark))
    before = world.state()
    others = [(a_lasting_change.name, world.filled(a_lasting_change.other))]
    if a_lasting_change.etag:
        others.append((a_lasting_change.name, {**request, "etag": "0"}))
    if a_lasting_change.name != "RunService.CancelRun":
        others.append(("RunService.CancelRun", {"name": world.words["run"]}))
    for name, other in others:
        for dry in (False, True):
            refusal = wire.refusal(name, other, request_id=mark, validate_only=dry)
            assert refusal.code == "REQUEST_ID_REUSED"
    assert world.state() == before


@pytest.mark.parametrize("mark", ["1", "run-1", "00000000-0000-0000-0000-00000000000g"])
def test_an_id_that_is_no_uuid_is_refused(world: Any, wire: Any, a_change: Any, mark: str) -> None:
    refusal = wire.refusal(a_change.name, world.filled(a_change.request), request_id=mark)
    assert refusal.code == "REQUEST_INVALID"
    assert refusal.infos[0].metadata["where"] == "request_id"


def test_a_killed_daemon_has_forgotten_no_id(world: Any, wire: Any, table: Any) -> None:
    changes = [row for row in table.values() if row.kind == "change" and row.name != STOP]
    asked = [(row, world.filled(row.request), new_id()) for row in changes]
    first = [wire.call(row.name, request, request_id=mark) for row, request, mark in asked]
    for answer in first:
        world.settle(answer)
    world.daemon.kill()
    before = world.state()
    world.daemon.start()
    again = [wire.call(row.name, request, request_id=mark) for row, request, mark in asked]
    assert [answer.name for answer in again] == [answer.name for answer in first]
    assert world.state() == before
    row, _, mark = asked[-1]
    refusal = wire.refusal(row.name, world.filled(row.other), request_id=mark)
    assert refusal.code == "REQUEST_ID_REUSED"


def test_a_repeated_stop_does_not_stop_the_next_daemon(world: Any, wire: Any) -> None:
    mark, pid = new_id(), world.daemon.pid
    assert wire.call(STOP, {}, request_id=mark).pid == pid
    world.daemon.restart()
    after = wire.call(STOP, {}, request_id=mark)
    assert after.pid == world.daemon.pid != pid
    assert wire.call("DaemonService.GetDaemon", {}).pid == after.pid
    refusal = wire.refusal("RunService.CancelRun", {"name": world.words["run"]}, request_id=mark)
    assert refusal.code == "REQUEST_ID_REUSED"
