"""``python -m agi_env.runtime.attach RUN_DIR --epoch N --after SEQ``: the one way to a run.

It joins the run's living runner, or starts one, and then follows the journal. Everything it has to
say is JSON lines on stdout, of one key each:

``{"attached": {"started": bool, "epoch": n, "pid": p}}`` is first; without a runner, p is null.
``{"record": {...}}`` comes once for each record after SEQ.
``{"control": {"command": "...", "answer": {...}}}`` follows each command; instead of an answer it
may have ``"error": {"code": ..., "metadata": {...}}``.
``{"gone": {...} | null, "settled": bool}`` is last, when no runner is left: its exit record, and
whether the run has come to its end.
``{"error": {"code": ..., "metadata": {...}}}`` comes instead of all this when no start is possible.

Lines on its stdin are commands to the runner. One that takes none for a minute, and writes nothing
meanwhile, is stuck: it is killed with all below it, and the next epoch goes on. Neither the end of
stdin nor of this process harms the run.

With ``--keys`` the first of these lines is no command but the keys of a run in a cluster mode,
``{"keys": {...}}``: they are in no argument, no environment and no file. The exit code is 0, or
that of the error.

With ``--standby`` alone it loads what a runner is made of and waits for its arguments, which are a
line of their own before all others: ``{"arguments": ["RUN_DIR", ...]}``. So it can be started
before there is a run to attach to.
"""

from __future__ import annotations

import getopt
import json
import os
import sys
import time
from collections import deque
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any

from agi_env.errors import AgiError, OutOfTimeError, RefusedError, RequestInvalidError
from agi_env.runtime import control, journal, process_tree, supervisor
from agi_env.runtime.attach_waiting import Waiting
from agi_env.runtime.identity import Identity
from agi_env.runtime.journal_tail import JournalTail
from agi_env.runtime.stdin_lines import StdinLines
from agi_env.runtime.supervision import Target

USAGE = "python -m agi_env.runtime.attach RUN_DIR --epoch N --after SEQ [--keys]"

STANDBY = "--standby"

_CONTROL_S = 5.0
_TAKE_S = 60.0
_LISTEN_S = 300.0
"""A runner that takes up a run reads all its results, which may be many and on a slow share."""
_STANDBY_S = 3600.0
_KEYS_S = 10.0
_STDOUT = 1


def main(arguments: Sequence[str] | None = None) -> int:
    """Attach to the run that the command line names; the exit code."""
    try:
        words = sys.argv[1:] if arguments is None else arguments
        lines = StdinLines()
        order = _parsed(stand_by(lines) if words == [STANDBY] else words)
        target = runner_with(lines.first(_KEYS_S)) if order.keys else run_runner
        return follow(order.run_dir, order.epoch, order.after, target, lines)
    except AgiError as error:
        say(control.error_answer(error))
        return error.exit_code
    except BrokenPipeError:  # nobody listens any more, which is theirs to decide
        return 0


def stand_by(lines: StdinLines) -> list[str]:
    """Load what a runner is made of, and wait for the arguments of the run.

    Raises:
        RequestInvalidError: None were sent until the end of stdin.
        OutOfTimeError: Nor within an hour.
    """
    import_module("agi_env.runtime.runner")
    match control.parse_command(lines.first(_STANDBY_S)):
        case {"arguments": list(words)}:
            return [str(word) for word in words]
    raise RequestInvalidError("the first line has no arguments", remedy=f"Use {USAGE}")


def run_runner(run_dir: Path, epoch: int) -> int:
    """The runner; loaded where it runs, so that an attach that joins does without."""
    code: int = import_module("agi_env.runtime.runner").main(run_dir, epoch)
    return code


def runner_with(line: bytes) -> Target:
    """The runner of a run in a cluster mode, with the keys that a line carries.

    Raises:
        RequestInvalidError: The line carries none.
    """
    keys = import_module("agi_env.runtime.cluster_keys").ClusterKeys.from_line(line)

    def run(run_dir: Path, epoch: int) -> int:
        code: int = import_module("agi_env.runtime.runner").main(run_dir, epoch, keys=keys)
        return code

    return run


def follow(
    run_dir: Path,
    epoch: int,
    after: int,
    target: Target = run_runner,
    lines: StdinLines | None = None,
) -> int:
    """Join or start a runner and tell what happens until it is gone.

    Args:
        run_dir: The run's directory.
        epoch: Which start it is if there is to be one, from 1.
        after: Leave out the records up to this number.
        target: What runs as the runner.
        lines: The commands; by default those on stdin.

    Raises:
        AgiError: The runner could not be started.
        BrokenPipeError: Nobody reads stdout any more.
    """
    standing = supervisor.start(run_dir, epoch, target)
    say({"attached": {"started": standing.started, "epoch": standing.epoch, "pid": standing.pid}})
    tail = JournalTail(run_dir / journal.JOURNAL_FILE, after)
    commands = Commands(run_dir, lines or StdinLines())
    with Waiting(run_dir, standing.pid) as waiting:
        _follow(run_dir, tail, commands, waiting)
    if standing.started and standing.pid is not None:
        with suppress(ChildProcessError):  # where SIGCHLD is ignored, nothing is left to wait for
            os.waitpid(standing.pid, 0)  # at once: it has let go of the lock by ending
    record = supervisor.exit_record(run_dir)
    if record is None:
        supervisor.clear_up(run_dir)
    say({"gone": supervisor.last_words(run_dir, record), "settled": tail.settled})
    return 0


class Commands:
    """The commands that arrive on stdin, on their way to the runner.

    Args:
        run_dir: The run's directory.
        lines: What arrives.
        answer_s: Seconds that the runner has to answer one.
        take_s: Seconds without a sign of life until a runner that listens, but takes no command,
            is killed.
        listen_s: The same for a runner that does not listen yet.
    """

    def __init__(
        self,
        run_dir: Path,
        lines: StdinLines,
        answer_s: float = _CONTROL_S,
        take_s: float = _TAKE_S,
        listen_s: float = _LISTEN_S,
    ) -> None:
        self._run_dir = run_dir
        self._lines = lines
        self._answer_s = answer_s
        self._take_s, self._listen_s = take_s, listen_s
        self._waiting = deque(lines.complete())
        self._listens = False
        self._alive_at = time.monotonic()

    def receive(self) -> bool:
        """Read from stdin; false at its end."""
        if not self._waiting:
            self.see_alive()
        open_ = self._lines.read()
        self._waiting.extend(self._lines.complete())
        return open_

    def relay(self) -> None:
        """Pass on what has arrived, if the runner listens already.

        What it does not answer in time stays here for the next time: every command may be repeated,
        and none may be lost on a runner that is held up for a while.
        """
        while self._waiting and self._is_listening():
            if not self._relay(self._waiting[0]):
                return
            self._waiting.popleft()
            self.see_alive()

    def see_alive(self) -> None:
        """Take note that the runner has done something, or has nothing to do for anybody here."""
        self._alive_at = time.monotonic()

    def insist(self) -> None:
        """Kill a runner that is stuck: who gave the command gives it to the next one."""
        patience = self._take_s if self._listens else self._listen_s
        if not self._waiting or time.monotonic() - self._alive_at < patience:
            return
        sys.stderr.write(f"the runner took no command for {patience:g} s and was killed\n")
        holder = Identity.read(self._run_dir)
        if holder is not None and holder.is_living:
            process_tree.kill_tree(holder.pid)
        self.see_alive()

    def _is_listening(self) -> bool:
        listens = (self._run_dir / control.CONTROL_SOCKET).exists()
        if listens and not self._listens:
            self.see_alive()
        self._listens = listens
        return listens

    def refuse(self) -> None:
        """Answer for a runner that is gone."""
        for line in self._waiting:
            error = RefusedError("the runner has ended", where=str(self._run_dir))
            _say_control(line.decode(errors="replace"), control.error_answer(error))

    def _relay(self, line: bytes) -> bool:
        """Pass on one command and say what came of it; whether it was answered at all."""
        answered = True
        try:
            command = control.parse_command(line)
            answer = {"answer": control.send(self._run_dir, command, self._answer_s)}
        except AgiError as error:
            answer = control.error_answer(error)
            answered = not isinstance(error, OutOfTimeError)
        _say_control(line.decode(errors="replace"), answer)
        return answered


def say(line: Mapping[str, Any]) -> None:
    """Write one line to stdout."""
    _write(_line(line))


def _line(line: Mapping[str, Any]) -> bytes:
    return json.dumps(line, separators=(",", ":")).encode() + b"\n"


def _write(data: bytes) -> None:
    while data:
        data = data[os.write(_STDOUT, data) :]


def _say_control(command: str, answer: Mapping[str, Any]) -> None:
    say({"control": {"command": command, **answer}})


def _follow(run_dir: Path, tail: JournalTail, commands: Commands, waiting: Waiting) -> None:
    alive = True
    while alive:
        waiting.begin()
        alive = supervisor.is_alive(run_dir)  # asked first: all it wrote before is read below
        commands.relay()
        told = _tell_records(tail)
        if told:
            commands.see_alive()
        commands.insist()
        if alive and waiting.wait(told) and not commands.receive():
            waiting.hear_no_more()
    commands.refuse()


def _tell_records(tail: JournalTail) -> bool:
    told = False
    while records := tail.poll():
        told = True
        _write(b"".join(_line({"record": record.to_dict()}) for record in records))
    return told


@dataclass(frozen=True, slots=True)
class _Order:
    run_dir: Path
    epoch: int
    after: int
    keys: bool


def _parsed(arguments: Sequence[str]) -> _Order:
    try:
        flags, places = getopt.gnu_getopt(list(arguments), "", ["epoch=", "after=", "keys"])
        options = dict(flags)
        (run_dir,) = places
        epoch, after = int(options["--epoch"]), int(options.get("--after", "0"))
        return _Order(Path(run_dir), epoch, after, "--keys" in options)
    except (getopt.GetoptError, KeyError, ValueError) as error:
        raise RequestInvalidError(f"{error}", remedy=f"Use {USAGE}") from error


if __name__ == "__main__":
    sys.exit(main())
