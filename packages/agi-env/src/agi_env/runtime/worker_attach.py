"""``python -m agi_env.runtime.worker_attach RUN_DIR --slot N``: the one way to a worker.

It joins the slot's living worker, or starts one, detached. The first line on its stdin is the run's
keys, ``{"keys": {...}}``; each later one a command: ``{"op": "join", "scheduler": ADDRESS, "epoch":
N}`` and ``{"op": "end"}`` go on to the worker, ``{"op": "kill"}`` ends it from here. A worker that
does not answer a command, or never begins to listen, is killed as well: what it holds, it has lost
or is to lose.

Everything it has to say is JSON lines on stdout, of one key each:

``{"attached": {"started": bool, "pid": p}}`` is first; without a worker, p is null.
``{"control": {"command": "...", "answer": {...} | "error": {...}}}`` follows each command.
``{"gone": {...} | null}`` is last, when no worker is left: its exit record.
``{"error": {"code": ..., "metadata": {...}}}`` comes instead of all this when no start is possible.

Neither the end of stdin nor of this process harms the worker.
"""

from __future__ import annotations

import getopt
import json
import math
import os
import select
import sys
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from importlib import import_module
from pathlib import Path

from agi_env.atomic_file import disk_errors
from agi_env.errors import AgiError, OutOfTimeError, RequestInvalidError
from agi_env.runtime import control, process_tree, supervisor
from agi_env.runtime.attach import say
from agi_env.runtime.cluster_keys import ClusterKeys
from agi_env.runtime.identity import Identity
from agi_env.runtime.logs import WORKERS_DIRECTORY
from agi_env.runtime.stdin_lines import StdinLines

USAGE = "python -m agi_env.runtime.worker_attach RUN_DIR --slot N"

_KEYS_S = 10.0
_CONTROL_S = 2.0
_LISTEN_S = 20.0
"""How long a command waits for a worker that does not listen yet; that starts in less than one."""
_STDOUT = 1
_SOON_MS, _LATE_MS = 20.0, 60_000.0


def main(arguments: Sequence[str] | None = None) -> int:
    """Attach to the worker that the command line names; the exit code."""
    try:
        run_dir, slot = _parsed(sys.argv[1:] if arguments is None else arguments)
        lines = StdinLines()
        keys = ClusterKeys.from_line(lines.first(_KEYS_S))
        return follow(run_dir.resolve(), slot, keys, lines)
    except AgiError as error:
        say(control.error_answer(error))
        return error.exit_code
    except BrokenPipeError:  # nobody listens any more, which is theirs to decide
        return 0


def worker_directory(run_dir: Path, slot: int) -> Path:
    """Where the worker of a slot has its lock, its records and its log."""
    return run_dir / WORKERS_DIRECTORY / str(slot)


def follow(run_dir: Path, slot: int, keys: ClusterKeys, lines: StdinLines) -> int:
    """Join or start a worker and pass commands on until it is gone.

    Args:
        run_dir: The run's directory on this host.
        slot: The slot.
        keys: The run's keys, for a worker that is started.
        lines: The commands.

    Raises:
        AgiError: The worker could not be started.
        BrokenPipeError: Nobody reads stdout any more.
    """
    directory = worker_directory(run_dir, slot)
    with disk_errors(directory):
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)

    def target(_directory: Path, _start: int) -> int:
        code: int = import_module("agi_env.runtime.worker").main(run_dir, directory, slot, keys)
        return code

    last = Identity.read(directory)
    standing = supervisor.start(directory, (last.epoch if last else 0) + 1, target)
    say({"attached": {"started": standing.started, "pid": standing.pid}})
    if standing.pid is not None:
        _follow(directory, standing.pid, lines)
        with suppress(ChildProcessError):  # a worker that was joined is not our child
            os.waitpid(standing.pid, 0)
    record = supervisor.exit_record(directory)
    if record is None:
        supervisor.clear_up(directory)
    say({"gone": supervisor.last_words(directory, record)})
    return 0


def _follow(directory: Path, pid: int, lines: StdinLines) -> None:
    try:
        handle = os.pidfd_open(pid)
    except ProcessLookupError:
        return
    try:
        commands = Commands(directory, pid)
        poller = select.poll()
        poller.register(handle, select.POLLIN)
        poller.register(lines.fd, select.POLLIN)
        poller.register(_STDOUT, 0)  # only whether its reader has gone
        _converse(poller, handle, lines, commands)
    finally:
        os.close(handle)


def _converse(poller: select.poll, handle: int, lines: StdinLines, commands: Commands) -> None:
    while True:
        commands.take(lines.complete())
        ready = {fd for fd, _ in poller.poll(_SOON_MS if commands.waiting else _LATE_MS)}
        if handle in ready:
            return
        if _STDOUT in ready:
            raise BrokenPipeError("the reader of stdout has gone")
        if lines.fd in ready and not lines.read():
            poller.unregister(lines.fd)


class Commands:
    """The commands to one worker, on their way.

    Args:
        directory: The worker's own directory.
        pid: Its supervisor.
        listen_s: Seconds that it has to begin to listen, once there is a command.
    """

    def __init__(self, directory: Path, pid: int, listen_s: float = _LISTEN_S) -> None:
        self._listen_s = listen_s
        self._directory = directory
        self._pid = pid
        self._lines: list[bytes] = []
        self._deadline = math.inf

    @property
    def waiting(self) -> bool:
        """Whether the worker has still to begin to listen."""
        return bool(self._lines)

    def take(self, lines: list[bytes]) -> None:
        """Take more commands; pass on what there is, if the worker listens already."""
        if lines and not self._lines:
            self._deadline = time.monotonic() + self._listen_s
        self._lines += lines
        late = bool(self._lines) and time.monotonic() > self._deadline
        if late or any(_op(line) == "kill" for line in self._lines):
            self._lines.clear()
            self._kill()
        while self._lines and (self._directory / control.CONTROL_SOCKET).exists():
            self._relay(self._lines.pop(0))

    def _relay(self, line: bytes) -> None:
        try:
            answer = {
                "answer": control.send(self._directory, control.parse_command(line), _CONTROL_S)
            }
        except OutOfTimeError as error:
            answer = control.error_answer(error)
            self._kill()
        except AgiError as error:
            answer = control.error_answer(error)
        say({"control": {"command": line.decode(errors="replace"), **answer}})

    def _kill(self) -> None:
        # The supervisor with all that is below it: what it cannot reach is cleared up afterwards.
        process_tree.kill_tree(self._pid)


def _op(line: bytes) -> str:
    with suppress(ValueError):
        command = json.loads(line)
        if isinstance(command, dict):
            return str(command.get("op"))
    return ""


def _parsed(arguments: Sequence[str]) -> tuple[Path, int]:
    try:
        flags, places = getopt.gnu_getopt(list(arguments), "", ["slot="])
        options: Mapping[str, str] = dict(flags)
        (run_dir,) = places
        return Path(run_dir), int(options["--slot"])
    except (getopt.GetoptError, KeyError, ValueError) as error:
        raise RequestInvalidError(f"{error}", remedy=f"Use {USAGE}") from error


if __name__ == "__main__":
    sys.exit(main())
