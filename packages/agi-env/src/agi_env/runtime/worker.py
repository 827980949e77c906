"""The worker: one process per slot, between a run's Dask scheduler and the executors of the slot.

It never imports the app, so nothing that the app does stops its word to the runner. It holds its
slot by a lease; when that is over, by its own clock or by the runner's word, it kills its executors
and ends. It belongs to one runner: when that is gone, so is the worker.
"""

from __future__ import annotations

import asyncio
import os
import sys
import time
from collections.abc import Mapping
from contextlib import suppress
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from agi_env.errors import (
    AgiError,
    ConflictError,
    InternalError,
    OutOfTimeError,
    RefusedError,
    RequestInvalidError,
    StateUnreadableError,
)
from agi_env.runtime import control, dask_settings, worker_messages
from agi_env.runtime import dispatch_events as events
from agi_env.runtime.carrying import Carrying
from agi_env.runtime.cluster_keys import ClusterKeys, KeyFiles
from agi_env.runtime.cluster_spec import ClusterSpec
from agi_env.runtime.executor_seat import MAX_IN_HAND
from agi_env.runtime.executors import LOGS_DIRECTORY, LocalExecutors
from agi_env.runtime.frames import Message
from agi_env.runtime.interpreter import Interpreter
from agi_env.runtime.own_address import address_toward
from agi_env.runtime.port_range import PortRange
from agi_env.runtime.spec import SPEC_FILE, RunSpec

if TYPE_CHECKING:
    from agi_env.runtime.dask_worker import DaskWorker

JOIN_S = 20.0
"""Seconds until somebody has to say which runner this worker is for.

A daemon that is killed right after it started a worker, for a run that settles meanwhile, leaves
nobody who would send the worker home: this is how long it is there for nothing.
"""
RENEWALS = 5
"""How often a lease is renewed in its time."""


def main(run_dir: Path, directory: Path, slot: int, keys: ClusterKeys) -> int:
    """Serve one slot until the run is over or the slot is lost.

    Args:
        run_dir: The run's directory on this host, with its spec.
        directory: The worker's own directory, below it. The caller holds its lock.
        slot: The slot.
        keys: The run's keys.

    Returns:
        0 when the worker was sent home; else the exit code of the error that is printed.
    """
    try:
        dask_settings.apply()
        asyncio.run(_serve(run_dir, directory, slot, keys))
    except AgiError as error:
        sys.stderr.write(f"{error}\n")
        return error.exit_code
    return 0


async def _serve(run_dir: Path, directory: Path, slot: int, keys: ClusterKeys) -> None:
    await Worker(run_dir, directory, slot, keys).run()


class Worker:
    """One slot in the hands of one process."""

    def __init__(self, run_dir: Path, directory: Path, slot: int, keys: ClusterKeys) -> None:
        """Read the run; in the event loop.

        Raises:
            StateUnreadableError: The spec cannot be used.
        """
        self._run_dir = run_dir
        self._directory = directory
        self._spec = _spec(run_dir)
        self._slot = next(each for each in self._spec.slots if each.index == slot)
        self._cluster = self._spec.cluster or ClusterSpec()
        self._keys = keys
        loop = asyncio.get_running_loop()
        self._called: asyncio.Future[tuple[str, int]] = loop.create_future()
        self._ended: asyncio.Future[None] = loop.create_future()
        self._carrying = Carrying(self._pass_on)
        self._unsaid: list[events.SeatEvent] = []
        self._why: AgiError | None = None
        self._granted = asyncio.Event()
        self._lease = ""
        self._asked_at = 0.0

    async def run(self) -> None:
        """Wait to be told of a runner, serve it to the end, and leave nothing.

        Raises:
            OutOfTimeError: Nobody told, or the runner does not answer.
            ConflictError, RefusedError: The slot is lost, or the runner is.
        """
        async with control.serve(self._directory, self._obey):
            await asyncio.wait(
                (self._called, self._ended),
                timeout=JOIN_S,
                return_when=asyncio.FIRST_COMPLETED,
            )
            if self._ended.done():
                return
            if not self._called.done():
                raise OutOfTimeError("no runner was named to this worker")
            await self._serve(*self._called.result())

    # Commands.

    async def _obey(self, command: dict[str, Any]) -> Mapping[str, Any]:
        match command:
            case {"op": "join", "scheduler": str(scheduler), "epoch": int(epoch)}:
                self._call(scheduler, epoch)
            case {"op": "end"}:
                self._end()
            case _:
                raise RequestInvalidError(f"{command!r} is no command to a worker")
        return {"accepted": True, "holds": bool(self._lease)}

    def _call(self, scheduler: str, epoch: int) -> None:
        if not self._called.done():
            self._called.set_result((scheduler, epoch))
        elif self._called.result() != (scheduler, epoch):
            self._end(ConflictError(f"there is a runner of epoch {epoch} now"))

    def _end(self, why: AgiError | None = None) -> None:
        if not self._ended.done():
            self._why = why
            self._ended.set_result(None)

    # The slot.

    async def _serve(self, scheduler: str, epoch: int) -> None:
        (self._run_dir / LOGS_DIRECTORY).mkdir(mode=0o700, exist_ok=True)
        mark = f"{self._spec.run_id}/{epoch}/{os.getpid()}"
        self._executors = LocalExecutors(
            self._spec, self._run_dir, Interpreter(), mark=mark, post=self._happened
        )
        files = KeyFiles(self._keys)
        self._dask = self._connection(scheduler, epoch, files)
        try:
            if await self._connected():
                await self._hold(epoch)
            if self._why is not None:
                raise self._why
        finally:
            await self._executors.close()
            await self._dask.close()
            files.close()

    def _connection(self, scheduler: str, epoch: int, files: KeyFiles) -> DaskWorker:
        dask = import_module("agi_env.runtime.dask_worker")
        berth = dask.Berth(
            name=f"slot {self._slot.index}, epoch {epoch}, process {os.getpid()}",
            host=_own_address(scheduler),
            ports=PortRange.parse(self._cluster.worker_ports),
            tasks=MAX_IN_HAND * self._slot.executors,
            directory=self._directory,
        )
        made: DaskWorker = dask.DaskWorker(
            scheduler, berth, files, self._heard, self._carrying.carry
        )
        return made

    async def _connected(self) -> bool:
        """Connect to the runner, unless this worker is to end first."""
        connecting = asyncio.create_task(self._dask.connect(), name="connecting")
        try:
            waiting = (self._ended, connecting)
            await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
            if self._ended.done():
                return False
            connecting.result()
            return True
        finally:
            connecting.cancel()
            await asyncio.gather(connecting, return_exceptions=True)

    async def _hold(self, epoch: int) -> None:
        """Keep the slot until it is lost or nobody needs it."""
        asking = asyncio.create_task(self._ask(epoch), name="lease")
        broken = asyncio.create_task(self._dask.ended.wait(), name="connection")
        try:
            waiting = (self._ended, asking, broken)
            await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in (asking, broken):
                task.cancel()
            await asyncio.gather(asking, broken, return_exceptions=True)
        if not self._ended.done():
            raise RefusedError("the runner is gone")

    async def _ask(self, epoch: int) -> None:
        """Ask for a lease and renew it; when it is over by our own clock, that is the end."""
        pause = self._cluster.lease_s / RENEWALS
        wanted_until = _now() + JOIN_S
        while not self._lease and _now() < wanted_until:
            self._dask.tell(worker_messages.join(self._slot.index, epoch, _now()))
            await self._granted_within(pause)
        while (left := self._asked_at + self._cluster.lease_s - _now()) > 0:
            self._dask.tell(worker_messages.renew(self._lease, _now()))
            await asyncio.sleep(min(left, pause))
        self._end(ConflictError(f"no word from the runner for {self._cluster.lease_s:g} s"))

    async def _granted_within(self, seconds: float) -> None:
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._granted.wait()

    # What the runner says.

    def _heard(self, message: Message) -> None:
        match message:
            case {"op": "granted", "lease": str(lease), "sent_at": float(sent_at)}:
                self._lease = lease
                self._granted.set()
                self._asked_at = max(self._asked_at, sent_at)
            case {"op": "fenced", "reason": str(reason)}:
                self._end(ConflictError(f"the slot is lost: {reason}"))
            case {"op": "start", "executor": int(executor), "start": int(number)}:
                self._carrying.begin(executor, number)
                self._executors.start(self._slot.index, executor)
            case {"op": "send", "executor": int(executor), "message": dict(inner)}:
                self._pass_on(executor, inner)
            case {"op": "kill", "executor": int(executor)}:
                self._executors.kill(self._slot.index, executor)
            case {"op": "end"}:
                self._end()
            case _:
                self._end(InternalError(f"the runner said {message!r}"))

    def _pass_on(self, executor: int, message: Message) -> None:
        self._executors.send(self._slot.index, executor, message)

    def _happened(self, event: events.Event) -> None:
        assert isinstance(event, events.SeatEvent)
        self._carrying.note(event)
        if not self._unsaid:
            # In the next turn: what Dask has to say of the task is on its way by then, with which
            # this shares one message, as it does with what else the executor said.
            asyncio.get_running_loop().call_soon(self._say)
        self._unsaid.append(event)

    def _say(self) -> None:
        unsaid, self._unsaid = self._unsaid, []
        for event in unsaid:
            self._dask.tell(worker_messages.event(self._lease, event))


def _spec(run_dir: Path) -> RunSpec:
    path = run_dir / SPEC_FILE
    try:
        return RunSpec.from_json(path.read_bytes())
    except OSError as error:
        raise StateUnreadableError(
            f"it cannot be read: {error.strerror}", where=str(path)
        ) from None


def _own_address(scheduler: str) -> str:
    """The address of this machine that the runner's host can reach, as far as this one knows."""
    place = urlsplit(scheduler)
    try:
        return address_toward(place.hostname or "", place.port or 0)
    except OSError as error:
        raise RefusedError(f"no way to the runner: {error}", where=scheduler) from error


def _now() -> float:
    """A clock that runs on while this process, or the whole machine, is stopped."""
    return time.clock_gettime(time.CLOCK_BOOTTIME)
