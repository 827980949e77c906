"""What the detached supervisor does: start the runner, watch it, clear up, say how it ended.

It holds the run's lock from before the runner exists until nothing of the runner is left. If the
supervisor is killed, the kernel kills the runner, and whoever comes next clears up by the mark that
all processes of the run carry in their environment.
"""

from __future__ import annotations

import os
import select
import signal
import sys
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import NoReturn, TypeAlias

from agi_env.atomic_file import disk_errors
from agi_env.runtime import build_lock, control, process_tree
from agi_env.runtime.bounded_log import BoundedLog
from agi_env.runtime.exit_record import ExitRecord
from agi_env.runtime.identity import IDENTITY_FILE, Identity
from agi_env.runtime.oom_events import oom_kills

Target: TypeAlias = Callable[[Path, int], int]
"""What runs as the runner: gets the run's directory and the epoch, returns its exit code."""

RUN_DIR_VARIABLE = "AGI_RUN_DIR"
"""The environment variable that everything a runner executes carries, with the run's directory."""
LOG_FILE = "logs/runner.log"
OWN_LOG_FILE = "logs/supervisor.log"
"""Empty, but for a defect of the supervisor itself."""
CRASHED = 70
"""The exit code of a runner that raised (``EX_SOFTWARE``)."""

_LOG_LIMIT_BYTES = 10 * 1024 * 1024
_CLEAR_UP_S = 10.0
_CHUNK_BYTES = 64 * 1024
_CHUNKS_AT_ONCE = 64
_BACKSTOP_MS = 60_000


def clear_up(run_dir: Path) -> None:
    """Kill what an earlier runner left behind; only for whoever holds the run's lock."""
    process_tree.kill_marked(RUN_DIR_VARIABLE, str(run_dir), _CLEAR_UP_S)
    control.remove_socket(run_dir)


def detach(run_dir: Path, epoch: int) -> None:
    """Make this forked process a supervisor: no terminal, no session, no stdio of its starter.

    From now on its build is in use, until it and the runner have ended; and it is known, so that
    the end of its starter does not end it any more.

    Raises:
        NotInstalledError: The build is being removed.
        DiskFullError, StateUnwritableError: The run's directory cannot be written.
    """
    os.setsid()
    os.chdir(run_dir)
    with disk_errors(run_dir):
        (run_dir / LOG_FILE).parent.mkdir(mode=0o700, exist_ok=True)
        _redirect_stdio(run_dir / OWN_LOG_FILE)
    build_lock.hold_own()
    process_tree.become_subreaper()
    if (run_dir / IDENTITY_FILE).exists():  # else nothing was ever started here
        clear_up(run_dir)
    process_tree.outlive_parent()
    Identity.own(epoch).write(run_dir)


def supervise(run_dir: Path, epoch: int, target: Target) -> None:
    """Run a target to its end and write how it ended. Everything below this process is gone then.

    Raises:
        DiskFullError, StateUnwritableError: The exit record could not be written.
    """
    log = BoundedLog(run_dir / LOG_FILE, _LOG_LIMIT_BYTES)
    output, its_end = os.pipe()
    wake = _wake_on_children()
    kills_before = oom_kills()
    supervisor, runner = os.getpid(), os.fork()
    if runner == 0:
        process_tree.die_with_parent(supervisor)
        _be_runner(run_dir, epoch, target, its_end)
    os.close(its_end)
    os.set_blocking(output, False)
    status = _watch(runner, output, wake, log)
    left = process_tree.kill_own_descendants(_CLEAR_UP_S)
    _copy(output, log)
    log.close()
    control.remove_socket(run_dir)
    oom = oom_kills() > kills_before
    ExitRecord.of(epoch, status, tuple(process.pid for process in left), oom=oom).write(run_dir)


def _redirect_stdio(log: Path) -> None:
    nothing = os.open(os.devnull, os.O_RDONLY)
    output = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    for fd, target in ((nothing, 0), (output, 1), (output, 2)):
        os.dup2(fd, target)
    os.close(nothing)
    os.close(output)


def _be_runner(run_dir: Path, epoch: int, target: Target, output: int) -> NoReturn:
    code = CRASHED
    try:
        signal.set_wakeup_fd(-1)
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        for fd in (1, 2):
            os.dup2(output, fd)
        os.environ[RUN_DIR_VARIABLE] = str(run_dir)
        code = target(run_dir, epoch)
    except SystemExit as exit_:
        code = exit_.code if isinstance(exit_.code, int) else CRASHED
    except BaseException:  # noqa: BLE001 - the end of the process: recorded in its log
        traceback.print_exc()
    finally:
        _leave(code)


def _leave(code: int) -> NoReturn:
    try:
        sys.stdout.flush()
        sys.stderr.flush()
    finally:
        os._exit(code)


def _wake_on_children() -> int:
    reader, writer = os.pipe()
    os.set_blocking(reader, False)
    os.set_blocking(writer, False)
    signal.signal(signal.SIGCHLD, lambda _number, _frame: None)
    signal.set_wakeup_fd(writer, warn_on_full_buffer=False)
    return reader


def _watch(runner: int, output: int, wake: int, log: BoundedLog) -> int:
    poller = select.poll()
    poller.register(output, select.POLLIN)
    poller.register(wake, select.POLLIN)
    while (status := _reaped(runner)) is None:
        ready = {fd for fd, _ in poller.poll(_BACKSTOP_MS)}
        if wake in ready:
            os.read(wake, _CHUNK_BYTES)
        if output in ready and not _copy(output, log):
            poller.unregister(output)
    return status


def _reaped(runner: int) -> int | None:
    while True:
        pid, status = os.waitpid(-1, os.WNOHANG)
        if pid == runner:
            return status
        if pid == 0:
            return None


def _copy(output: int, log: BoundedLog) -> bool:
    """Copy what is there, within bounds; false at the end of the output."""
    try:
        for _ in range(_CHUNKS_AT_ONCE):
            data = os.read(output, _CHUNK_BYTES)
            if not data:
                return False
            log.write(data)
    except BlockingIOError:
        return True
    return True
