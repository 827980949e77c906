"""The daemon's line to the worker of one slot: it is started, started again, and sent home.

``agi_env.runtime.worker_attach`` on the slot's host joins the living worker or starts one. Losing
the line, or this daemon, never harms the worker.
"""

from __future__ import annotations

import asyncio
import json
from typing import Any

from attrs import frozen

from agi_daemon.runs.exit_cause import exit_cause
from agi_daemon.runs.record import RunRecord, SchedulerPlace
from agi_daemon.runs.run_directory import place_of, python_of
from agi_daemon.transport.host_transport import Channel, HostTransport
from agi_env.errors import OutOfTimeError, RefusedError, error_from
from agi_env.module_command import module_command
from agi_env.runtime.causes import EndCause
from agi_env.runtime.cluster_keys import ClusterKeys

SILENT_S = 2.0
"""How long a worker that lost its slot may live on, before it is killed."""
END_S = 5.0
"""How long a worker may take to end when it is sent home, before it is killed."""
ASK_AGAIN_S = 20.0
"""How long a worker may be without its slot before it is told again which runner it is for.

One that does not answer is stuck and is killed by ``worker_attach``: it has no lease that could
expire. One that answers has a deadline of its own.
"""
MOST_SILENT = 3
"""So often in a row nothing is heard by the time of the next question; then the line is broken."""


@frozen(kw_only=True)
class Post:
    """Where a worker is to be.

    Attributes:
        transport: The slot's host.
        record: The run.
        slot: The slot.
        keys: The run's keys.
    """

    transport: HostTransport
    record: RunRecord
    slot: int
    keys: ClusterKeys

    @property
    def command(self) -> list[str]:
        """What joins or starts the worker there."""
        python = python_of(self.transport, self.record)
        place = str(place_of(self.transport, self.record.run.id))
        module = "agi_env.runtime.worker_attach"
        return module_command(python, module, place, "--slot", str(self.slot))


class SlotWorker:
    """A line to the one worker of a slot, from its opening until the worker is gone.

    Args:
        post: Where the worker is to be.
        ask_again_s: Seconds between questions to one that does not come to its slot.
    """

    def __init__(self, post: Post, ask_again_s: float = ASK_AGAIN_S) -> None:
        self._post = post
        self._ask_again_s = ask_again_s
        self._channel: Channel | None = None
        self._told: SchedulerPlace | None = None
        self._scheduler: SchedulerPlace | None = None
        self._patience: asyncio.Task[None] | None = None
        self._answered = False
        self._wanted = True
        self.holds = False
        """Whether a worker has the slot, as the runner or the worker itself says."""

    async def attend(self) -> EndCause:
        """Join or start the worker, and wait until it is gone.

        Returns:
            Why; ``STOPPED`` when its runner sent it home.

        Raises:
            AgiError: It cannot be started.
        """
        try:
            async with await self._post.transport.open_channel(self._post.command) as channel:
                await channel.send(self._post.keys.to_line())
                self._channel, self._told = channel, None
                await self._tell()
                if not self._wanted:
                    await self.send_home()
                return await self._until_gone(channel)
        finally:
            self._channel = None
            await self._wait_no_more()

    async def serve(self, scheduler: SchedulerPlace) -> None:
        """Tell the worker, now or when it is there, which runner it is for."""
        self.holds = self.holds and scheduler == self._scheduler
        self._scheduler = scheduler
        await self._tell()

    @property
    def was_unneeded(self) -> bool:
        """Whether no runner was named to the worker that is here, or was last."""
        return self._told is None

    def forget_runner(self) -> None:
        """There is another runner, and it is not known yet where."""
        self._scheduler, self.holds = None, False

    async def has_joined(self) -> None:
        """It has its slot."""
        self.holds = True
        await self._wait_no_more()

    async def has_lost(self) -> None:
        """It lost its slot: it ends, or is stuck and does not."""
        self.holds = False
        await self._wait_no_more()
        if self._channel is not None:
            self._patience = asyncio.create_task(
                self._kill_after(SILENT_S), name=f"patience with slot {self._post.slot}"
            )

    async def send_home(self) -> None:
        """The run is over: have it end, now or when it is there."""
        self._wanted = False
        await self._wait_no_more()
        if self._channel is not None:
            await self._order(op="end")
            self._patience = asyncio.create_task(
                self._kill_after(END_S), name=f"patience with slot {self._post.slot}"
            )

    async def _until_gone(self, channel: Channel) -> EndCause:
        listening = asyncio.create_task(self._listen(channel), name=f"slot {self._post.slot}")
        asking = asyncio.create_task(self._ask(), name=f"questions to slot {self._post.slot}")
        try:
            await asyncio.wait((listening, asking), return_when=asyncio.FIRST_COMPLETED)
            if not listening.done():
                await asking
            cause = await listening
            self.holds = False
            return cause
        finally:
            for task in (listening, asking):
                task.cancel()
            await asyncio.gather(listening, asking, return_exceptions=True)

    async def _listen(self, channel: Channel) -> EndCause:
        async for line in channel.lines():
            match _document(line):
                case {"gone": dict() | None as record}:
                    return exit_cause(record)
                case {"control": {"answer": dict(answer)}}:  # an error is no word of the worker
                    self._answered = True
                    self.holds = self.holds or answer.get("holds") is True
                case {"error": {"code": str(code), "metadata": dict(metadata)}}:
                    raise error_from(code, metadata)
        said = " ".join(channel.stderr_tail().decode(errors="replace").split())[-500:]
        raise RefusedError(f"the line to it broke: {said or 'it said nothing'}")

    async def _ask(self) -> None:
        """Have a worker that does not come to its slot prove that it lives.

        Raises:
            OutOfTimeError: Nobody answers on its host, not even that it is stuck.
        """
        silent = 0
        while True:
            await asyncio.sleep(self._ask_again_s)
            if self.holds or self._told is None:
                continue
            silent = 0 if self._answered else silent + 1
            if silent == MOST_SILENT:
                raise OutOfTimeError("nobody answers there", where=self._post.transport.host)
            self._answered, self._told = False, None
            await self._tell()

    async def _tell(self) -> None:
        where = self._scheduler
        if where is not None and self._channel is not None and self._told != where:
            self._told = where
            await self._order(op="join", scheduler=where.address, epoch=where.epoch)

    async def _order(self, **command: Any) -> None:
        if self._channel is not None:
            await self._channel.send(json.dumps(command).encode() + b"\n")

    async def _kill_after(self, seconds: float) -> None:
        await asyncio.sleep(seconds)
        await self._order(op="kill")

    async def _wait_no_more(self) -> None:
        patience, self._patience = self._patience, None
        if patience is not None:
            patience.cancel()
            await asyncio.gather(patience, return_exceptions=True)


def _document(line: bytes) -> Any:
    try:
        return json.loads(line)
    except ValueError:  # killed in the middle of it
        return None
