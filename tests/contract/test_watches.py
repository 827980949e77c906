"""Watches: a snapshot, every event after a number once, and a last snapshot."""

from __future__ import annotations

import sqlite3
from typing import Any

import grpc
import pytest


def events_of(messages: list[Any]) -> list[Any]:
    """What lies between the first snapshot and the last."""
    first, *between, last = messages
    assert first.WhichOneof("update") == last.WhichOneof("update") == "snapshot"
    assert {message.WhichOneof("update") for message in between} <= {"event"}
    assert all(message.sequence == message.event.sequence for message in between)
    return [message.event for message in between]


def test_a_watch_that_goes_on_has_exactly_the_rest(world: Any, wire: Any, a_watch: Any) -> None:
    request = world.filled(a_watch.request)
    whole = wire.ask(a_watch.name, request)
    events = events_of(whole)
    last = len(events)
    assert [event.sequence for event in events] == list(range(1, last + 1))
    assert last >= 3
    for after in range(last + 1):
        rest = wire.ask(a_watch.name, request, after_sequence=after)
        assert events_of(rest) == events[after:]
        assert (rest[0], rest[-1]) == (whole[0], whole[-1])
    assert {whole[0].sequence, whole[-1].sequence} == {last}
    assert whole[-1].snapshot.HasField("end_time")
    refusal = wire.refusal(a_watch.name, request, after_sequence=last + 1)
    assert (refusal.code, refusal.status) == ("CURSOR_EXPIRED", "OUT_OF_RANGE")
    assert refusal.infos[0].metadata["last"] == str(last)


def test_a_watch_survives_a_killed_daemon(world: Any, wire: Any, a_watch: Any) -> None:
    request = world.filled(a_watch.request)
    whole = wire.ask(a_watch.name, request)
    world.daemon.kill()
    world.daemon.start()
    assert wire.ask(a_watch.name, request) == whole


def test_a_living_run_tells_what_its_store_tells_later(world: Any, wire: Any, gated: Any) -> None:
    watch = {"name": gated.run, "verbose": 3}
    living = wire.stream("RunService.WatchRun", watch)
    seen = [next(living)]
    assert seen[0].snapshot.name == gated.run
    while seen[-1].event.kind != "partition_started":
        seen.append(next(living))
    living.cancel()
    after = seen[-1].sequence
    gated.open()
    rest = wire.ask("RunService.WatchRun", watch, after_sequence=after)
    stored = events_of(wire.ask("RunService.WatchRun", watch))
    assert [message.event for message in seen[1:]] + events_of(rest) == stored
    assert rest[0].sequence >= after
    assert rest[-1].sequence == stored[-1].sequence


def test_verbosity_hides_events_and_renumbers_none(world: Any, wire: Any) -> None:
    request = {"name": world.words["run"]}
    whole = events_of(wire.ask("RunService.WatchRun", request, verbose=3))
    for level in range(3):
        shown = events_of(wire.ask("RunService.WatchRun", request, verbose=level))
        assert shown == [event for event in whole if event.verbosity <= level]
    assert wire.refusal("RunService.WatchRun", request, verbose=4).code == "INVALID_INPUT"


def test_events_that_are_no_longer_kept_are_missed_aloud(world: Any, wire: Any) -> None:
    run = wire.call("RunService.StartRun", {"app": world.words["app"], "mode": 0})
    world.settle(run)
    store = sqlite3.connect(world.daemon.state / "store.sqlite3", timeout=10)
    with store:
        store.execute("DELETE FROM events WHERE subject = ? AND sequence <= 3", (run.name,))
    store.close()
    request = {"name": run.name, "verbose": 3}
    refusal = wire.refusal("RunService.WatchRun", request, after_sequence=2)
    assert refusal.code == "CURSOR_EXPIRED"
    assert refusal.infos[0].metadata["first"] == "4"
    rest = events_of(wire.ask("RunService.WatchRun", request, after_sequence=3))
    assert rest == events_of(wire.ask("RunService.WatchRun", request))
    assert rest[0].sequence == 4


def test_a_stopping_daemon_says_when_to_come_back(world: Any, wire: Any, gated: Any) -> None:
    living = wire.stream("RunService.WatchRun", {"name": gated.run})
    next(living)
    world.daemon.stop()
    with pytest.raises(grpc.RpcError) as ended:
        list(living)
    world.daemon.start()
    gated.open()
    refusal = wire.refused(ended.value)
    assert (refusal.code, refusal.status) == ("DAEMON_UNAVAILABLE", "UNAVAILABLE")
    (retry,) = refusal.retries
    assert 0 < retry.retry_delay.ToTimedelta().total_seconds() <= 5
    assert wire.ask("RunService.WatchRun", {"name": gated.run})[-1].snapshot.state == 7
