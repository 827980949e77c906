"""``python -m agi_daemon.pipelines.step_attach DIR --epoch N``: the one way to a step's process.

It joins the living process, or starts one, detached: at most one with each epoch. ``step.json`` in
the directory says what to execute. Lines on stdin are commands: ``{"op": "stop", "grace_s": 10}``
tells the process group to end and kills everything of the step after the grace, in the end its
supervisor too.

Everything it has to say is JSON lines on stdout, of one key each:

``{"attached": {"started": bool, "pid": p}}`` is first; without a process, p is null.
``{"gone": {...} | null}`` is last, when no process is left: its exit record, or null where a crash
took it and its supervisor.
``{"error": {"code": ..., "metadata": {...}}}`` comes instead of all this when no start is possible.

Neither the end of stdin nor of this process harms the step.
"""

from __future__ import annotations

import getopt
import json
import os
import select
import signal
import sys
import time
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from agi_cluster.client.step import PID_VARIABLE
from agi_env.errors import AgiError, RequestInvalidError
from agi_env.runtime import control, process_tree, supervisor
from agi_env.runtime.attach import say
from agi_env.runtime.stdin_lines import StdinLines

USAGE = "python -m agi_daemon.pipelines.step_attach DIR --epoch N"
ORDER_FILE = "step.json"

_STDOUT = 1
_LATE_MS = 60_000.0
_SOON_MS, _LONGEST_PAUSE_MS = 20.0, 1000.0
_KEEP_S = 15.0
"""How long after the grace the supervisor is kept; its own clearing up may take 10 s of them."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Attach to the step that the command line names; the exit code."""
    try:
        directory, epoch = _parsed(sys.argv[1:] if arguments is None else arguments)
        return follow(directory.resolve(), epoch, StdinLines())
    except AgiError as error:
        say(control.error_answer(error))
        return error.exit_code
    except BrokenPipeError:  # nobody listens any more, which is theirs to decide
        return 0


def execute(directory: Path, _epoch: int) -> int:
    """Become the process of the step; it is the leader of a group of its own."""
    order = json.loads((directory / ORDER_FILE).read_bytes())
    os.setpgid(0, 0)
    os.chdir(order["cwd"])
    environment = {**os.environ, **order["env"], PID_VARIABLE: str(os.getpid())}
    os.execve(order["argv"][0], order["argv"], environment)  # noqa: S606 - what the step is


def follow(directory: Path, epoch: int, lines: StdinLines) -> int:
    """Join or start the process and pass commands on until it is gone.

    Raises:
        AgiError: It could not be started.
        BrokenPipeError: Nobody reads stdout any more.
    """
    standing = supervisor.start(directory, epoch, execute)
    say({"attached": {"started": standing.started, "pid": standing.pid}})
    if standing.pid is not None:
        _follow(standing.pid, lines)
        with suppress(ChildProcessError):  # a process that was joined is not our child
            os.waitpid(standing.pid, 0)
    record = supervisor.exit_record(directory)
    if record is None:
        supervisor.clear_up(directory)
    say({"gone": record and record.to_dict()})
    return 0


def _follow(pid: int, lines: StdinLines) -> None:
    try:
        handle = os.pidfd_open(pid)
    except ProcessLookupError:
        return
    try:
        poller = select.poll()
        poller.register(handle, select.POLLIN)
        poller.register(lines.fd, select.POLLIN)
        poller.register(_STDOUT, 0)  # only whether its reader has gone
        _converse(poller, handle, lines, Stop(pid))
    finally:
        os.close(handle)


def _converse(poller: select.poll, handle: int, lines: StdinLines, stop: Stop) -> None:
    while True:
        for line in lines.complete():
            stop.take(line)
        ready = {fd for fd, _ in poller.poll(stop.patience_ms())}
        if handle in ready:
            return
        if _STDOUT in ready:
            raise BrokenPipeError("the reader of stdout has gone")
        if lines.fd in ready and not lines.read():
            poller.unregister(lines.fd)
        stop.insist()


class Stop:
    """Ending the step: first its group is told, and after the grace all of it is killed.

    Args:
        supervisor_pid: The step's supervisor.
        keep_s: Seconds after the grace until it is killed as well: it is stuck.
    """

    def __init__(self, supervisor_pid: int, keep_s: float = _KEEP_S) -> None:
        self._supervisor = supervisor_pid
        self._keep_s = keep_s
        self._deadline: float | None = None
        self._pause_ms = _SOON_MS

    def take(self, line: bytes) -> None:
        """Take a command; a later one may shorten the grace."""
        command = json.loads(line)
        if command.get("op") != "stop":
            return
        if self._deadline is None:
            self._tell()
        until = time.monotonic() + float(command["grace_s"])
        self._deadline = until if self._deadline is None else min(until, self._deadline)

    def patience_ms(self) -> float:
        """How long to wait for something else."""
        if self._deadline is None:
            return _LATE_MS
        return max(self._pause_ms, 1000 * (self._deadline - time.monotonic()))

    def insist(self) -> None:
        """Kill what is left after the grace; the supervisor last, for it says how all ended."""
        now = time.monotonic()
        if self._deadline is None or now < self._deadline:
            return
        self._pause_ms = min(2 * self._pause_ms, _LONGEST_PAUSE_MS)
        if now >= self._deadline + self._keep_s:
            process_tree.kill_tree(self._supervisor)
            return
        for process in process_tree.descendants(self._supervisor):
            process_tree.kill(process)

    def _tell(self) -> None:
        leaders: list[Any] = process_tree.descendants(self._supervisor)[:1]
        for leader in leaders:
            with suppress(ProcessLookupError, PermissionError):
                os.killpg(leader.pid, signal.SIGTERM)


def _parsed(arguments: Sequence[str]) -> tuple[Path, int]:
    try:
        flags, places = getopt.gnu_getopt(list(arguments), "", ["epoch="])
        (directory,) = places
        return Path(directory), int(dict(flags)["--epoch"])
    except (getopt.GetoptError, KeyError, ValueError) as error:
        raise RequestInvalidError(f"{error}", remedy=f"Use {USAGE}") from error


if __name__ == "__main__":
    sys.exit(main())
