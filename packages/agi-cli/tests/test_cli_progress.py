"""Progress: what is known of a run, in which words it is told, and where it is shown."""

from __future__ import annotations

import io
import json
import os
import threading
from contextlib import contextmanager
from datetime import timedelta

import attrs
import pytest

from agi_cli.followed import Followed
from agi_cli.live import PlainDisplay
from agi_cli.queue_look import looking_at_queue
from agi_cli.session import Session
from agi_cli.tracker import RunTracker
from agi_cluster.model.event import Event
from agi_cluster.model.run import Run, RunState
from agi_cluster.narration import line_of
from agi_env.errors import DaemonError


@contextmanager
def pseudo_terminal():
    """A stream that is a terminal, and a list that holds what was shown when it is over."""
    master, slave = os.openpty()
    shown: list[bytes] = []

    def drain() -> None:
        while True:
            try:
                piece = os.read(master, 65536)
            except OSError:
                return
            if not piece:
                return
            shown.append(piece)

    reader = threading.Thread(target=drain)
    reader.start()
    try:
        with os.fdopen(slave, "w", encoding="utf-8") as stream:
            yield stream, shown
    finally:
        reader.join(timeout=10)
        os.close(master)


def test_what_a_queued_run_waits_for_is_said(terminal, whole_life):
    queued = attrs.evolve(whole_life[0], waiting_for="2 cores of 127.0.0.1; held by a-1")
    terminal.client.updates = [queued, *whole_life[1:]]
    assert terminal.type("run", "weather") == 0
    assert "queued: waits for 2 cores of 127.0.0.1; held by a-1\n" in terminal.said


def test_a_queued_run_is_asked_what_it_waits_for_until_it_is_not(terminal, whole_life):
    queued = attrs.evolve(whole_life[0], waiting_for="a-1, which was first on h")
    tracker, seen = RunTracker(queued), threading.Event()
    words = iter(["a-2, which was first on h", "1 core of h"])

    class Daemon:
        def get_run(self, name: str) -> Run:
            now = attrs.evolve(queued, waiting_for=next(words, "1 core of h"))
            if now.waiting_for == "1 core of h":
                seen.set()
            return now

    with looking_at_queue(Daemon(), tracker, interval=0.0):
        assert seen.wait(timeout=60)
    assert tracker.waiting == "queued: waits for 1 core of h"
    tracker.take(Event(sequence=1, time=whole_life[1].time, kind="cores_leased"))
    assert tracker.waiting == "installing"


def test_two_calls_that_wait_for_one_daemon_tell_it_once(terminal):
    error, said = DaemonError("gone"), []
    session = Session(out=terminal.out, err=terminal.err, connect=terminal.connect)
    followed = Followed("runs/r", alone=lambda: True)
    with session.client() as client, followed.watched(session, client, said.append):
        for each in (error, error, None, None, error):
            client.away(each)
    gone = "the daemon is gone; runs/r goes on; waiting for it"
    assert said == [gone, "the daemon is back", gone]


def test_a_terminal_gets_a_live_line_that_vanishes(terminal):
    with pseudo_terminal() as (stream, shown):
        assert terminal.type("run", "weather", "-o", "json", err=stream) == 0
    text = b"".join(shown).decode()
    assert "\x1b[?25l" in text
    assert "\x1b[?25h" in text
    assert "planned: 3 partitions" in text
    assert text.endswith("\x1b[2K")
    assert json.loads(terminal.shown)["state"] == "STATE_SUCCEEDED"


def test_the_cursor_comes_back_after_ctrl_c(terminal, interrupted_life):
    terminal.client.updates = interrupted_life
    with pseudo_terminal() as (stream, shown):
        assert terminal.type("run", "weather", err=stream) == 130
    text = b"".join(shown).decode()
    assert text.rindex("\x1b[?25h") > text.rindex("\x1b[?25l")
    assert "detached: runs/weather-r1 goes on" in text


def test_a_pipe_gets_plain_lines(terminal):
    assert terminal.type("run", "weather", "-o", "json") == 0
    assert "\x1b" not in terminal.said
    assert "\r" not in terminal.said
    assert json.loads(terminal.shown)["state"] == "STATE_SUCCEEDED"


def test_who_watches_hears_of_a_daemon_that_goes_away(terminal, life_without_a_daemon):
    terminal.client.updates = life_without_a_daemon
    assert terminal.type("run", "weather") == 7
    said = terminal.said.splitlines()
    gone = said.index("the daemon is gone; runs/weather-r1 goes on when it is back; waiting for it")
    assert said[gone + 1] == "the daemon is back"
    assert "the daemon is gone; runs/weather-r1 goes on; waiting for it" in said
    assert said[-1].startswith(
        "error: unix:/run/agi.sock: the daemon cannot be reached; runs/weather-r1 goes on."
        " `agi runs watch weather-r1` starts the daemon and comes back to it"
    )


def test_who_waits_for_an_answer_hears_where_from(terminal, life_without_a_daemon):
    error = life_without_a_daemon[-1].error
    session = Session(out=terminal.out, err=terminal.err, connect=terminal.connect)
    with session.client() as client:
        client.away(error)
        client.away(None)
    assert terminal.said == "no daemon answers at unix:/run/agi.sock; waiting for it\n"


def test_plain_progress_goes_on_where_nothing_is_heard():
    shown, asked = threading.Event(), iter(["queued", "half"])

    class Line(io.StringIO):
        def write(self, text: str) -> int:
            shown.set()
            return super().write(text)

    stream = Line()
    with PlainDisplay(stream, lambda: (None, next(asked)), interval=0.0):
        assert shown.wait(timeout=60)
    assert stream.getvalue().startswith("queued\n")


def test_a_status_that_stays_is_said_again_only_after_a_while():
    now = [0.0]
    stream = io.StringIO()
    display = PlainDisplay(stream, lambda: (None, "queued"), lambda: now[0], 5.0)
    for tick in range(1000):
        now[0] = tick / 10
        display.tick()
    assert stream.getvalue().splitlines() == ["queued"] * 2


def test_plain_progress_is_said_at_a_modest_rate():
    now = [0.0]
    stream = io.StringIO()
    with PlainDisplay(stream, lambda: (0.5, f"at {now[0]:g}"), lambda: now[0], 5.0) as display:
        for tick in range(1000):
            now[0] = tick / 50
            display.tick()
    assert stream.getvalue().splitlines() == ["at 5", "at 10", "at 15"]


def tracked(terminal, updates) -> RunTracker:
    tracker = RunTracker(updates[0])
    tracker.plan([*terminal.client.list_plan_partitions("", page_token="").items])
    tracker.plan(
        [
            *terminal.client.list_plan_partitions("").items,
            *terminal.client.list_plan_partitions("", page_token="2").items,
        ]
    )
    for update in updates:
        tracker.take(update)
    return tracker


def test_a_state_is_over_with_what_ended_it(terminal, whole_life):
    def told(kind: str, **data: object) -> Event:
        return Event(sequence=1, time=whole_life[1].time, kind=kind, data=data)

    tracker = RunTracker(attrs.evolve(whole_life[0], waiting_for="room"))
    assert tracker.waiting == "queued: waits for room"
    shipping = told("shipping", host="h", wheels=["a", "b"], bytes=2048)
    words = []
    for event in (told("cores_leased"), shipping, told("installed"), told("planned")):
        tracker.take(event)
        words.append(tracker.waiting)
    assert words == [
        "installing",
        "installing: h: shipping 2 wheels, 2.0 KiB",
        "planning",
        "starting",
    ]


def test_the_share_counts_weights(terminal, whole_life):
    tracker = tracked(terminal, whole_life[:10])
    assert (tracker.done, tracker.total) == (1, 3)
    assert tracker.share == pytest.approx(10 / 50)
    assert tracker.running == ("part 2",)
    assert tracker.state is RunState.RUNNING


def test_the_time_left_is_guessed_from_the_speed_until_now(terminal, whole_life):
    tracker = tracked(terminal, whole_life[:10])
    finished = whole_life[9].time
    # 0.3 s for a fifth of the work: four fifths take four times as long.
    assert tracker.seconds_left(finished) == pytest.approx(1.2)
    assert tracker.seconds_left(finished + timedelta(seconds=1)) == pytest.approx(0.2)
    assert tracker.seconds_left(finished + timedelta(seconds=9)) == 0
    assert tracked(terminal, whole_life[:9]).seconds_left(finished) is None


def test_a_runner_that_is_started_again_runs_nothing_yet(terminal, whole_life):
    again = Event(sequence=99, time=whole_life[9].time, kind="runner_started", data={"epoch": 2})
    tracker = tracked(terminal, [*whole_life[:10], again])
    assert tracker.running == ()
    assert tracker.done == 1


def test_a_partition_that_is_done_again_is_not_done(terminal, whole_life):
    again = Event(
        sequence=99,
        time=whole_life[9].time,
        kind="partition_started",
        data={"id": "p0", "slot": 0, "attempt": 2},
    )
    tracker = tracked(terminal, [*whole_life[:10], again])
    assert tracker.done == 0
    assert "part 0" in tracker.running


def test_a_partition_that_is_tried_again_has_not_failed(terminal, whole_life):
    def failed(final: bool) -> Event:
        data = {"id": "p2", "slot": 1, "final": final, "cause": {"kind": "signal"}}
        return Event(sequence=99, time=whole_life[9].time, kind="partition_failed", data=data)

    assert tracked(terminal, [*whole_life[:10], failed(False)]).failed == 0
    assert tracked(terminal, [*whole_life[:10], failed(True)]).failed == 1


def test_weights_of_nothing_are_counted(terminal, whole_life):
    tracker = RunTracker(whole_life[0])
    assert tracker.share == 0
    for update in whole_life:
        tracker.take(update)
    assert tracker.share == 1


@pytest.mark.parametrize(
    ("kind", "data", "line"),
    [
        ("installed", {"unchanged": False, "what": "app (edited)"}, "installed: app (edited)"),
        ("runner_started", {"epoch": 2}, "started again"),
        (
            "partition_started",
            {"id": "a", "slot": 1, "attempt": 2},
            "A: begun on slot 1, attempt 2",
        ),
        (
            "partition_failed",
            {"id": "a", "slot": 1, "final": False, "cause": {"message": "killed"}},
            "A: failed: killed; it is tried again",
        ),
        (
            "partition_moved",
            {"id": "a", "from_slot": 0, "to_slot": 1, "reason": "idle"},
            "A: moved from slot 0 to 1: idle",
        ),
        ("cancel_requested", {"grace_s": 10}, "asked to stop: running partitions have 10.0 s"),
        (
            "shipping",
            {"host": "h", "wheels": ["x"], "bytes": 2048},
            "h: shipping 1 wheel, 2.0 KiB",
        ),
        ("realising", {"host": "h", "detail": "compiling"}, "h: building: compiling"),
        ("ready", {"host": "h", "detail": "ab" * 32}, "h: ready"),
        ("executor_ended", {"slot": 0, "cause": {"kind": "stopped"}}, ""),
        ("executor_unfit", {"cause": {"message": "x"}}, "the app cannot be started: x"),
        ("of_tomorrow", {"a": 1}, "of tomorrow a=1"),
    ],
)
def test_events_in_words(whole_life, kind, data, line):
    event = Event(sequence=1, time=whole_life[1].time, kind=kind, data=data)
    assert line_of(event, str.upper) == line
