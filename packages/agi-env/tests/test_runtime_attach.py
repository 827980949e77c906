"""Attach and supervisor with real processes: start, join, detach, and every way of being killed."""

from __future__ import annotations

import json
import os
import select
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from agi_env.errors import OutOfTimeError
from agi_env.runtime import process_tree, run_lock, supervisor
from agi_env.runtime.attach import Commands
from agi_env.runtime.bounded_log import BoundedLog
from agi_env.runtime.identity import Identity
from agi_env.runtime.journal import Journal, read
from agi_env.runtime.run_lock import RunLock
from agi_env.runtime.stdin_lines import StdinLines

TOYS = Path(__file__).with_name("runtime_toys.py")
Line = dict[str, Any]

# A start whose supervisor is stopped as soon as it is there.
STUCK_START = """
import os, signal, sys
from pathlib import Path
from agi_env.errors import OutOfTimeError
from agi_env.runtime import supervisor
def stop():
    os.write(1, b"%d\\n" % os.getpid())
    os.kill(os.getpid(), signal.SIGSTOP)
os.register_at_fork(after_in_child=stop)
try:
    supervisor.start(Path(sys.argv[1]), 1, lambda *_: 0, start_s=0.3)
except OutOfTimeError as error:
    print(error.what)
"""


class Attachment:
    """One attach process and what it has said."""

    def __init__(self, toy: str, run_dir: Path, epoch: int, after: int) -> None:
        command = [sys.executable, str(TOYS), toy, str(run_dir), str(epoch), str(after)]
        self.process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, start_new_session=True
        )
        self.attached: Line = {}

    def line(self) -> Line:
        assert self.process.stdout is not None
        line: Line = json.loads(self.process.stdout.readline())
        return line

    def tell(self, *commands: object) -> None:
        assert self.process.stdin is not None
        for command in commands:
            self.process.stdin.write(json.dumps(command).encode() + b"\n")
        self.process.stdin.flush()

    def record(self, kind: str) -> Line:
        while True:
            line = self.line()
            if line.get("record", {}).get("kind") == kind:
                return dict(line["record"])

    def rest(self) -> list[Line]:
        assert self.process.stdout is not None
        lines = [json.loads(line) for line in self.process.stdout]
        assert self.process.wait(30) == 0
        return lines

    def end(self) -> None:
        self.process.kill()
        self.process.wait(20)
        for pipe in (self.process.stdin, self.process.stdout):
            assert pipe is not None
            with suppress(BrokenPipeError):
                pipe.close()


class Attach:
    """Attaches to one run, and ends all that it began."""

    def __init__(self, run_dir: Path) -> None:
        self.run_dir = run_dir
        self.made: list[Attachment] = []

    def begin(self, toy: str, epoch: int = 1, after: int = 0) -> Attachment:
        self.made.append(Attachment(toy, self.run_dir, epoch, after))
        return self.made[-1]

    def __call__(self, toy: str, epoch: int = 1, after: int = 0) -> Attachment:
        attachment = self.begin(toy, epoch, after)
        attachment.attached = attachment.line()
        return attachment

    def end(self) -> None:
        for attachment in self.made:
            attachment.end()
        holder = Identity.read(self.run_dir)
        if holder is not None and holder.is_living:
            os.kill(holder.pid, signal.SIGKILL)
            assert ends(holder.pid)
        supervisor.clear_up(self.run_dir)


@pytest.fixture
def run_dir(tmp_path: Path) -> Path:
    path = tmp_path / "run"
    path.mkdir(mode=0o700)
    return path


@pytest.fixture
def attach(run_dir: Path) -> Iterator[Attach]:
    attach = Attach(run_dir)
    yield attach
    attach.end()


def ends(pid: int) -> bool:
    try:
        handle = os.pidfd_open(pid)
    except ProcessLookupError:
        return True
    try:
        return bool(select.select([handle], [], [], 20)[0])
    finally:
        os.close(handle)


def kinds(lines: list[Line]) -> list[str]:
    return [line["record"]["kind"] for line in lines if "record" in line]


def exit_facts(line: Line) -> tuple[int, int | None, int | None]:
    gone = line["gone"]
    assert gone["left"] == []
    return gone["epoch"], gone["code"], gone["signal"]


def test_what_a_dying_runner_left_is_found_once_it_has_let_go(run_dir: Path) -> None:
    """Its supervisor was killed, and the kernel is still ending the runner, which has the lock."""
    Identity("of an earlier boot", os.getpid(), 1, epoch=1).write(run_dir)
    left = subprocess.Popen(["sleep", "600"], env={"AGI_RUN_DIR": str(run_dir.resolve())})
    lock = RunLock.take(run_dir)
    assert lock is not None
    letting_go = threading.Timer(0.3, lock.let_go)
    letting_go.start()
    try:
        supervisor.clear_up(run_dir)
        assert left.wait(20) == -signal.SIGKILL
    finally:
        letting_go.join()
        left.kill()
        left.wait()


def test_a_runner_is_started_followed_and_seen_off(attach: Attach, run_dir: Path) -> None:
    attachment = attach("settles")
    lines = attachment.rest()

    assert attachment.attached["attached"]["started"] is True
    assert attachment.attached["attached"]["epoch"] == 1
    assert kinds(lines) == ["runner_started", "fact", "settled"]
    assert lines[1]["record"]["cwd"] == str(run_dir)
    assert exit_facts(lines[-1]) == (1, 0, None)
    assert lines[-1]["settled"] is True
    assert not supervisor.is_alive(run_dir)


def test_a_settled_run_is_told_again_and_never_started_again(attach: Attach) -> None:
    attach("settles").rest()

    attachment = attach("settles", epoch=2, after=1)
    lines = attachment.rest()

    assert attachment.attached == {"attached": {"started": False, "epoch": 1, "pid": None}}
    assert kinds(lines) == ["fact", "settled"]
    assert exit_facts(lines[-1]) == (1, 0, None)


def test_a_living_runner_is_joined(attach: Attach, run_dir: Path) -> None:
    first = attach("obeys")
    first.record("runner_started")
    second = attach("obeys", epoch=2)

    assert second.attached["attached"]["started"] is False
    assert second.attached["attached"]["epoch"] == 1
    assert second.attached["attached"]["pid"] == first.attached["attached"]["pid"]
    assert supervisor.is_alive(run_dir)
    second.tell({"op": "settled"})
    for attachment in (first, second):
        assert attachment.rest()[-1]["settled"] is True
    assert read(run_dir / "journal").last_epoch == 1


def test_of_many_starts_at_once_one_wins(attach: Attach) -> None:
    many = [attach.begin("obeys") for _ in range(6)]
    for each in many:
        each.attached = each.line()
    stood = [each.attached["attached"] for each in many]

    assert sorted(each["started"] for each in stood) == [False] * 5 + [True]
    assert len({each["pid"] for each in stood}) == 1
    many[0].tell({"op": "settled"})
    for each in many:
        assert kinds(each.rest()) == ["runner_started", "settled"]


def test_a_killed_attach_harms_nothing_and_the_next_one_misses_nothing(attach: Attach) -> None:
    first = attach("obeys")
    runner = first.record("runner_started")
    first.tell({"op": "fact", "data": {"n": 1}})
    first.record("fact")
    os.killpg(first.process.pid, signal.SIGKILL)
    first.process.wait(20)

    second = attach("obeys", epoch=2, after=1)
    second.tell({"op": "fact", "data": {"n": 2}}, {"op": "settled"})
    lines = second.rest()

    assert second.attached["attached"]["started"] is False
    records = [line["record"] for line in lines if "record" in line]
    assert [(each["seq"], each["kind"], each.get("n")) for each in records] == [
        (2, "fact", 1),
        (3, "fact", 2),
        (4, "settled", None),
    ]
    assert exit_facts(lines[-1]) == (1, 0, None)
    assert ends(runner["pid"])


def test_the_end_of_stdin_harms_nothing(attach: Attach) -> None:
    first = attach("obeys")
    first.record("runner_started")
    assert first.process.stdin is not None
    first.process.stdin.close()

    second = attach("obeys")
    second.tell({"op": "settled"})

    assert first.rest()[-1]["settled"] is True


def test_an_attach_that_nobody_reads_ends_and_the_runner_goes_on(
    attach: Attach, run_dir: Path
) -> None:
    first = attach("obeys")
    first.record("runner_started")
    assert first.process.stdout is not None
    first.process.stdout.close()

    assert first.process.wait(20) == 0
    assert supervisor.is_alive(run_dir)
    second = attach("obeys")
    second.tell({"op": "settled"})
    assert second.rest()[-1]["settled"] is True


def test_a_killed_runner_leaves_no_descendant_and_its_signal(attach: Attach, run_dir: Path) -> None:
    attachment = attach("obeys")
    runner = attachment.record("runner_started")
    os.kill(runner["pid"], signal.SIGKILL)

    lines = attachment.rest()

    assert exit_facts(lines[-1]) == (1, None, 9)
    assert lines[-1]["settled"] is False
    assert not Path(f"/proc/{runner['stray']}").exists()
    assert not (run_dir / "control.sock").exists()


def test_a_killed_supervisor_takes_everything_with_it(attach: Attach, run_dir: Path) -> None:
    attachment = attach("obeys")
    runner = attachment.record("runner_started")
    os.kill(attachment.attached["attached"]["pid"], signal.SIGKILL)

    lines = attachment.rest()

    assert lines[-1] == {"gone": None, "settled": False}
    assert supervisor.exit_record(run_dir) is None
    assert ends(runner["pid"])
    assert ends(runner["stray"])


def test_a_next_runner_clears_up_after_one_that_nobody_saw_off(attach: Attach) -> None:
    first = attach("obeys")
    runner = first.record("runner_started")
    os.killpg(first.process.pid, signal.SIGKILL)
    os.kill(first.attached["attached"]["pid"], signal.SIGKILL)
    assert ends(runner["pid"])

    second = attach("obeys", epoch=2)

    assert second.attached["attached"]["started"] is True
    assert ends(runner["stray"])
    second.tell({"op": "settled"})
    lines = second.rest()
    assert [line["record"]["epoch"] for line in lines if "record" in line] == [1, 2, 2]
    assert exit_facts(lines[-1]) == (2, 0, None)


def test_a_supervisor_that_is_stuck_before_it_is_known_is_not_left_with_the_lock(
    attach: Attach, run_dir: Path
) -> None:
    command = [sys.executable, "-c", STUCK_START, str(run_dir)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True)
    stuck, said = done.stdout.splitlines()

    assert said == "the supervisor of the run did not come up"
    assert ends(int(stuck))
    assert not supervisor.is_alive(run_dir)
    next_one = attach("settles")
    assert next_one.attached["attached"]["started"] is True
    assert next_one.rest()[-1]["settled"] is True


def test_a_supervisor_that_is_stuck_before_it_is_known_ends_with_its_starter(
    attach: Attach, run_dir: Path
) -> None:
    log = run_dir / "logs/supervisor.log"
    log.parent.mkdir()
    os.mkfifo(log)  # opening it for writing waits for a reader
    first = attach.begin("settles")
    while not (stuck := process_tree.descendants(first.process.pid)):
        assert first.process.poll() is None
    first.process.kill()

    assert ends(stuck[0].pid)
    log.unlink()
    second = attach("settles")
    assert second.attached["attached"]["started"] is True
    assert second.rest()[-1]["settled"] is True


@pytest.mark.parametrize("epoch", [1, 2])
def test_an_epoch_is_used_once(attach: Attach, epoch: int) -> None:
    attach("exits", epoch=2).rest()

    late = attach("settles", epoch=epoch)

    assert late.attached == {"attached": {"started": False, "epoch": 2, "pid": None}}
    (gone,) = late.rest()
    assert exit_facts(gone) == (2, 3, None)
    assert gone["settled"] is False


@pytest.mark.parametrize(("toy", "code"), [("raises", 70), ("exits", 3)])
def test_a_broken_runner_leaves_its_code(attach: Attach, toy: str, code: int) -> None:
    assert exit_facts(attach(toy).rest()[-1]) == (1, code, None)


def test_a_broken_runner_leaves_its_traceback(attach: Attach, run_dir: Path) -> None:
    attach("raises").rest()

    assert "ZeroDivisionError: a broken runner" in (run_dir / "logs/runner.log").read_text()
    assert (run_dir / "logs/supervisor.log").read_text() == ""


def test_a_flood_of_prints_is_held_to_a_size(attach: Attach, run_dir: Path) -> None:
    assert attach("floods").rest()[-1]["settled"] is True

    log = run_dir / "logs/runner.log"
    assert log.stat().st_size <= 10 * 1024 * 1024
    assert log.read_bytes().endswith(b"the last words\n")
    assert b"bytes were dropped here" in log.read_bytes()


def test_commands_are_answered(attach: Attach) -> None:
    attachment = attach("obeys")
    attachment.tell({"op": "fact"}, "no object", {"op": "settled"})

    lines = attachment.rest()

    answers = [line["control"] for line in lines if "control" in line]
    assert answers[0] == {"command": '{"op": "fact"}', "answer": {"ok": True}}
    assert answers[1]["error"]["code"] == "REQUEST_INVALID"
    assert answers[2]["answer"] == {"ok": True}


def test_a_command_that_a_held_up_runner_misses_is_not_lost(
    attach: Attach, run_dir: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    attachment = attach("obeys")
    runner = attachment.record("runner_started")["pid"]
    source, sink = os.pipe()
    os.write(sink, b'{"op": "fact"}\n')
    commands = Commands(run_dir, StdinLines(source), answer_s=0.2)
    commands.receive()
    os.kill(runner, signal.SIGSTOP)
    commands.relay()
    os.kill(runner, signal.SIGCONT)
    commands.relay()
    commands.relay()
    os.close(source)
    os.close(sink)

    said = [json.loads(line)["control"] for line in capfd.readouterr().out.splitlines()]

    assert said[0]["error"]["code"] == OutOfTimeError.code
    assert [each["answer"] for each in said[1:]] == [{"ok": True}]


@pytest.fixture
def orders() -> Iterator[tuple[StdinLines, int]]:
    """What commands are read from, and what they are written to."""
    source, sink = os.pipe()
    yield StdinLines(source), sink
    os.close(source)
    os.close(sink)


def test_a_stuck_runner_that_takes_no_command_is_killed_and_the_next_goes_on(
    attach: Attach, run_dir: Path, orders: tuple[StdinLines, int]
) -> None:
    first = attach("obeys")
    runner = first.record("runner_started")
    os.kill(runner["pid"], signal.SIGSTOP)
    lines, sink = orders
    commands = Commands(run_dir, lines, answer_s=0.1, take_s=0.3, listen_s=60)
    os.write(sink, b'{"op": "settled"}\n')
    commands.receive()
    while supervisor.is_alive(run_dir):
        commands.relay()
        commands.insist()

    assert ends(runner["pid"]) and ends(runner["stray"])
    assert first.rest()[-1]["settled"] is False
    second = attach("obeys", epoch=2)
    second.tell({"op": "settled"})
    assert second.rest()[-1]["settled"] is True


@pytest.mark.parametrize("command", [b"", b'{"op": "fact"}\n'])
def test_a_runner_is_killed_for_nothing_but_a_command_that_it_does_not_take(
    attach: Attach, run_dir: Path, orders: tuple[StdinLines, int], command: bytes
) -> None:
    runner = attach("obeys").record("runner_started")["pid"]
    lines, sink = orders
    commands = Commands(run_dir, lines, answer_s=20.0, take_s=0.0, listen_s=0.0)
    if command:
        os.write(sink, command)
        commands.receive()
    else:
        os.kill(runner, signal.SIGSTOP)
    commands.relay()
    commands.insist()

    assert supervisor.is_alive(run_dir)
    os.kill(runner, signal.SIGCONT)


def test_a_command_to_a_run_without_runner_is_refused(attach: Attach, run_dir: Path) -> None:
    journal = Journal.open(run_dir / "journal", 1)
    journal.append("settled")
    journal.close()
    attachment = attach.begin("obeys", epoch=2)
    attachment.tell({"op": "cancel"})

    lines = attachment.rest()

    assert lines[-1] == {"gone": None, "settled": True}
    refused = [line["control"]["error"]["code"] for line in lines if "control" in line]
    assert refused in (["REFUSED"], [])  # none if it was gone before it could be heard


def test_a_run_directory_that_is_not_there_is_said_in_one_line(run_dir: Path) -> None:
    attachment = Attachment("settles", run_dir / "nowhere", 1, 0)

    line = attachment.line()

    assert line["error"]["code"] == "STATE_UNWRITABLE"
    assert attachment.process.wait(20) == 7
    attachment.end()


def test_a_supervisor_that_cannot_write_says_so_to_its_starter(
    attach: Attach, run_dir: Path
) -> None:
    (run_dir / "logs").write_text("in the way")
    attachment = attach.begin("settles")

    assert attachment.line()["error"]["code"] == "STATE_UNWRITABLE"
    assert attachment.process.wait(20) == 7
    assert not supervisor.is_alive(run_dir)


def test_the_command_line_is_checked() -> None:
    command = [sys.executable, "-m", "agi_env.runtime.attach", "somewhere", "--epoch", "one"]
    done = subprocess.run(command, capture_output=True, timeout=30, check=False)

    assert json.loads(done.stdout)["error"]["code"] == "REQUEST_INVALID"
    assert (done.returncode, done.stderr) == (4, b"")


def test_a_look_never_gets_in_the_way_of_a_start(run_dir: Path) -> None:
    assert not run_lock.is_held(run_dir)
    lock = RunLock.take(run_dir)
    assert lock is not None
    with lock:
        assert run_lock.is_held(run_dir)
        assert RunLock.take(run_dir) is None
    assert not run_lock.is_held(run_dir)


def test_a_log_of_an_earlier_start_is_set_aside(attach: Attach, run_dir: Path) -> None:
    (run_dir / "logs").mkdir()
    BoundedLog(run_dir / "logs/runner.log", 4096).write(b"earlier")
    attach("raises").rest()

    assert (run_dir / "logs/runner.log.1").read_bytes() == b"earlier"
