"""Starting a runner detached, once; and asking whether it lives and how it ended.

Holding the run's lock is being alive, so starting twice is joining.
"""

from __future__ import annotations

import json
import os
import select
import time
import traceback
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn

from agi_env.errors import AgiError, InternalError, OutOfTimeError, error_from
from agi_env.runtime import journal, process_tree, run_lock, supervision
from agi_env.runtime.exit_record import ExitRecord
from agi_env.runtime.identity import Identity
from agi_env.runtime.run_lock import RunLock
from agi_env.runtime.supervision import Target

START_S = 15.0
"""Seconds until a supervisor has to say who it is; clearing up before it may take 10 of them."""

_REAP_S = 5.0
_PAUSE_S = 0.01
_TAIL_BYTES = 2000


@dataclass(frozen=True, slots=True)
class Standing:
    """How things stand after a start was asked for.

    Attributes:
        started: Whether this call started a runner.
        epoch: The epoch of the living runner; without one, the last that there was.
        pid: The supervisor of the living runner; none when there is no runner and none was
            started, because the run is settled or the epoch asked for has been used.
    """

    started: bool
    epoch: int
    pid: int | None


def start(run_dir: Path, epoch: int, target: Target, start_s: float = START_S) -> Standing:
    """Join the living runner, or start one when there is none and the run is not settled.

    Of several at once one starts and the others join. A runner is started at most once with an
    epoch, and never with a lower one than before. The caller may end at any moment afterwards.

    Args:
        run_dir: The run's directory.
        epoch: Which start this would be, from 1.
        target: What to run. It is called in a forked process, so the caller must have one thread.
        start_s: Seconds until a supervisor has to say who it is.

    Raises:
        OutOfTimeError: The lock is held by a process that does not say who it is, or the
            supervisor did not come up, for so long.
        DiskFullError, StateUnwritableError: The run's directory cannot be written.
    """
    run_dir = run_dir.resolve()
    deadline = time.monotonic() + start_s
    while True:
        lock = RunLock.take(run_dir)
        if lock is not None:
            with lock:
                return _start_alone(run_dir, epoch, target, deadline)
        holder = Identity.read(run_dir)
        if holder is not None and holder.is_living:
            return Standing(False, holder.epoch, holder.pid)
        if time.monotonic() > deadline:
            raise OutOfTimeError("the run's lock is held by an unknown process", where=str(run_dir))
        time.sleep(_PAUSE_S)


def is_alive(run_dir: Path) -> bool:
    """Whether a runner, or its supervisor clearing up after it, is there; disturbs nobody."""
    return run_lock.is_held(run_dir)


def exit_record(run_dir: Path) -> ExitRecord | None:
    """How the last runner ended; none while it lives, and when its supervisor was killed too."""
    last, record = Identity.read(run_dir), ExitRecord.read(run_dir)
    if last is None or record is None or record.epoch != last.epoch:
        return None
    return record


def last_words(run_dir: Path, record: ExitRecord | None) -> dict[str, Any] | None:
    """An exit record with the end of what its process printed; none where there is none."""
    if record is None:
        return None
    tail = b"" if record.code == 0 else _tail(run_dir / supervision.LOG_FILE)
    return {**record.to_dict(), "log_tail": tail.decode(errors="replace")}


def clear_up(run_dir: Path) -> None:
    """Kill what a runner left behind whose supervisor was killed too; let a living one be.

    A runner has the lock from its supervisor, and for a moment longer: until the kernel, which ends
    it then, is done with it.
    """
    deadline = time.monotonic() + START_S
    while (lock := RunLock.take(run_dir)) is None:
        holder = Identity.read(run_dir)
        if (holder is not None and holder.is_living) or time.monotonic() > deadline:
            return
        time.sleep(_PAUSE_S)
    with lock:
        supervision.clear_up(run_dir.resolve())


def _tail(path: Path) -> bytes:
    with suppress(FileNotFoundError), path.open("rb") as file:
        size = file.seek(0, os.SEEK_END)
        file.seek(max(0, size - _TAIL_BYTES))
        return file.read(_TAIL_BYTES)
    return b""


def _start_alone(run_dir: Path, epoch: int, target: Target, deadline: float) -> Standing:
    written = journal.read(run_dir / journal.JOURNAL_FILE)
    last = Identity.read(run_dir)
    last_epoch = max(written.last_epoch, last.epoch if last else 0)
    if written.settled or epoch <= last_epoch:
        return Standing(False, last_epoch, None)
    pid = _fork(run_dir, epoch, target, deadline)
    return Standing(True, epoch, pid)


def _fork(run_dir: Path, epoch: int, target: Target, deadline: float) -> int:
    news, teller = os.pipe()
    starter, pid = os.getpid(), os.fork()
    if pid == 0:
        os.close(news)
        _be_supervisor(run_dir, epoch, target, teller, starter)
    os.close(teller)
    try:
        _understand(_first_line(news, deadline), run_dir)
    except BaseException:
        # Nobody else knows of it, it holds the run's lock, and a stuck one may yet go on.
        _end(pid)
        raise
    finally:
        os.close(news)
    return pid


def _end(pid: int) -> None:
    """Kill a supervisor that did not come up; it is waited for only as long as a kill may take."""
    process_tree.kill_tree(pid)
    deadline = time.monotonic() + _REAP_S
    with suppress(ChildProcessError):  # where SIGCHLD is ignored, nothing is left to wait for
        while os.waitpid(pid, os.WNOHANG)[0] == 0 and time.monotonic() < deadline:
            time.sleep(_PAUSE_S)


def _be_supervisor(
    run_dir: Path, epoch: int, target: Target, teller: int, starter: int
) -> NoReturn:
    # The lock came with the fork, and goes with the end of this process and of the runner.
    try:
        process_tree.die_with_parent(starter)  # until it is known, for nobody else could end it
        supervision.detach(run_dir, epoch)
        _tell(teller, {})
        supervision.supervise(run_dir, epoch, target)
    except AgiError as error:
        _tell(teller, {"code": error.code, "metadata": error.to_metadata()})
    except BaseException as error:  # noqa: BLE001 - the end of the process: told and logged
        traceback.print_exc()
        _tell(teller, {"code": InternalError.code, "metadata": {"what": repr(error)}})
    finally:
        os._exit(0)


def _tell(teller: int, error: Mapping[str, Any]) -> None:
    # The starter may be gone by now, and it listens only for the first line.
    with suppress(BrokenPipeError):
        os.write(teller, json.dumps(error).encode() + b"\n")


def _first_line(news: int, deadline: float) -> bytes:
    line = b""
    while not line.endswith(b"\n"):
        if not select.select([news], [], [], max(0.0, deadline - time.monotonic()))[0]:
            raise OutOfTimeError("the supervisor of the run did not come up")
        data = os.read(news, 65536)
        if not data:
            break
        line += data
    return line


def _understand(line: bytes, run_dir: Path) -> None:
    if not line:
        raise InternalError("the supervisor of the run ended at once", where=str(run_dir))
    error = json.loads(line)
    if error:
        raise error_from(error["code"], error["metadata"])
