"""The executor: the one process that imports an app's worker and runs its code.

``python -m agi_env.runtime.executor FD PARENT`` speaks frames over the socket FD and dies with the
process PARENT. It is sent ``start``, then any number of ``work``, at most one ``reduce`` at a time,
and ``stop``; it does one thing after another. Whatever the app does, short of ending the process,
is caught here and reported with a traceback that begins in the app's own code.
"""

from __future__ import annotations

import errno
import json
import os
import resource
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, NoReturn

from agi_env.atomic_file import disk_errors
from agi_env.errors import DiskFullError
from agi_env.mode import Mode
from agi_env.runtime import attempt, devices, process_tree
from agi_env.runtime.app_class import AppClassError, describe, worker_class
from agi_env.runtime.app_context import AppContext
from agi_env.runtime.app_traceback import app_traceback
from agi_env.runtime.base_worker import has_reduce, has_work
from agi_env.runtime.causes import FailureCause, FailureKind
from agi_env.runtime.compiled_worker import compiled_module
from agi_env.runtime.executor_link import ExecutorLink
from agi_env.runtime.frames import Message
from agi_env.runtime.partitions import Partition, PartitionResult

MAX_VALUE_BYTES = 8 * 1024 * 1024
"""How long the JSON text of what ``work`` and ``reduce`` return may be: 8 MiB."""

_NO_ROOM = frozenset({errno.ENOSPC, errno.EDQUOT})


class Executor:
    """One worker object and the link over which it is told what to do."""

    def __init__(self, link: ExecutorLink) -> None:
        self._link = link
        self._pid = os.getpid()

    def run(self) -> int:
        """Do what is asked for until ``stop``; the exit code."""
        message = self._link.receive()
        if message is None:
            return 1
        try:
            worker, proof = _started(message)
        except BaseException as error:  # noqa: BLE001 - the boundary to the app
            self._tell({"op": "unfit", "cause": _cause(error, "the worker").to_dict()})
            return 1
        self._tell({"op": "ready", "reduces": has_reduce(type(worker)), "proof": proof})
        while (message := self._link.receive()) is not None:
            if message["op"] == "stop":
                return self._stop(worker)
            self._do(worker, message)
        return 1

    def _do(self, worker: Any, message: Message) -> None:
        if message["op"] == "work":
            self._work(worker, message)
        else:
            self._link.flush()
            self._reduce(worker, message)

    def _work(self, worker: Any, message: Message) -> None:
        which = {"id": message["partition"]["id"], "attempt": message["attempt"]}
        partition, directory = Partition(**message["partition"]), Path(message["directory"])
        self._tell({"op": "began", **which})
        cpu, start = _cpu_seconds(), time.perf_counter()
        try:
            with disk_errors(directory):
                out = attempt.create(directory)
            facts = self._kept(directory, lambda: worker.work(partition, out))
        except BaseException as error:  # noqa: BLE001 - the boundary to the app
            self._put_off({"op": "failed", **which, "cause": _cause(error, "work()").to_dict()})
            return
        used = {"seconds": time.perf_counter() - start, "cpu_seconds": _cpu_seconds() - cpu}
        rss = _max_rss_bytes()
        self._put_off({"op": "finished", **which, **facts, **used, "max_rss_bytes": rss})

    def _reduce(self, worker: Any, message: Message) -> None:
        start = time.perf_counter()
        try:
            results = [_result(each) for each in message["results"]]
            directory = Path(message["directory"])
            with disk_errors(directory):
                attempt.create(directory)
            facts = self._kept(directory, lambda: worker.reduce(results))
        except BaseException as error:  # noqa: BLE001 - the boundary to the app
            self._tell({"op": "reduce_failed", "cause": _cause(error, "reduce()").to_dict()})
            return
        seconds = time.perf_counter() - start
        self._tell({"op": "reduced", "attempt": message["attempt"], "seconds": seconds, **facts})

    def _stop(self, worker: Any) -> int:
        self._link.flush()
        cause = None
        try:
            getattr(worker, "stop", _nothing)()
        except BaseException as error:  # noqa: BLE001 - the boundary to the app
            cause = _cause(error, "stop()").to_dict()
        self._tell({"op": "stopped", "cause": cause})
        return 0

    def _kept(self, directory: Path, call: Callable[[], Any]) -> Message:
        value = call()
        self._leave_if_forked()
        try:
            text = attempt.encode(value)
        except (TypeError, ValueError, RecursionError) as error:
            raise NotJsonError(describe(error)) from None
        if len(text) > MAX_VALUE_BYTES:
            raise TooLargeError(f"{len(text)} bytes, and {MAX_VALUE_BYTES} are the most")
        with disk_errors(directory):
            stored = attempt.store(directory, text)
        return {"sha256": stored.sha256, "bytes": stored.bytes}

    def _tell(self, message: Message) -> None:
        self._leave_if_forked()
        self._link.send(message)

    def _put_off(self, message: Message) -> None:
        self._leave_if_forked()
        self._link.put_off(message)

    def _leave_if_forked(self) -> None:
        # The app forked and did not end its child: there is one executor, and this is not it.
        if os.getpid() != self._pid:
            os._exit(0)


class NotJsonError(Exception):
    """The app returned what JSON cannot carry."""


class TooLargeError(Exception):
    """The app returned a value that is not small."""


def _started(message: Message) -> tuple[Any, Message]:
    """The worker, and the proof that it is what the mode asks for."""
    cls = worker_class(message["target"])
    proof: Message = {}
    mode = Mode(message["context"]["mode"])
    if Mode.CYTHON in mode:
        proof["module"] = compiled_module(message["target"])
    if Mode.RAPIDS in mode:
        proof.update(devices.proof())
    if not has_work(cls):
        raise AppClassError(FailureKind.WORK_MISSING, f"class {cls.__name__} has no work()")
    context = message["context"]
    places = {name: Path(context[name]) for name in ("data_in", "data_out")}
    worker = cls(AppContext(**{**context, **places}), **message["args"])
    getattr(worker, "start", _nothing)()
    return worker, proof


def _result(facts: Message) -> PartitionResult:
    directory = Path(facts["directory"])
    value = json.loads(attempt.load(directory, facts["sha256"]))
    return PartitionResult(Partition(**facts["partition"]), value, directory / "out")


def _cause(error: BaseException, what: str) -> FailureCause:
    match error:
        case AppClassError():
            reason = error.__cause__
            return FailureCause(error.kind, str(error), app_traceback(reason) if reason else "")
        case devices.DeviceError():
            return FailureCause(FailureKind.NO_DEVICE, str(error))
        case NotJsonError():
            message = f"{what} returned what JSON cannot carry: {error}"
            return FailureCause(FailureKind.NOT_JSON, message)
        case TooLargeError():
            return FailureCause(FailureKind.TOO_LARGE, f"{what} returned {error}")
        case SystemExit():
            message = f"{what} called sys.exit({error.code!r})"
            return FailureCause(FailureKind.EXCEPTION, message, app_traceback(error))
    message = f"{what} raised {describe(error)}"
    return FailureCause(_kind(error), message, app_traceback(error))


def _kind(error: BaseException) -> FailureKind:
    full = isinstance(error, OSError) and error.errno in _NO_ROOM
    if full or isinstance(error, DiskFullError):
        return FailureKind.NO_ROOM
    return FailureKind.EXCEPTION


def _cpu_seconds() -> float:
    uses = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(use.ru_utime + use.ru_stime for use in uses)


def _max_rss_bytes() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def _nothing() -> None:
    return


def main() -> NoReturn:
    """Run as a program; the arguments are the descriptor of the link and the parent's pid."""
    descriptor, parent = (int(argument) for argument in sys.argv[1:3])
    process_tree.die_with_parent(parent)
    sys.exit(Executor(ExecutorLink(descriptor)).run())


if __name__ == "__main__":
    main()
