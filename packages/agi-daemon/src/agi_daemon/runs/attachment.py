"""The daemon's line to one runner: records come up, commands go down.

``agi_env.runtime.attach`` on the runner's host joins the living runner or starts one, and follows
its journal. Losing the line, or this daemon, never harms the run.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any

from agi_daemon.runs.record import RunRecord
from agi_daemon.runs.run_directory import place_of, python_of
from agi_daemon.runs.standby import Standby
from agi_daemon.transport.host_transport import Channel, HostTransport
from agi_env.errors import AgiError, InternalError, OutOfTimeError, error_from
from agi_env.runtime.causes import EndCause
from agi_env.runtime.cluster_keys import ClusterKeys
from agi_env.runtime.journal import SETTLED

FAREWELL_S = 10.0
"""Seconds that a runner has to be gone once the run is settled; clearing up ends it after them."""

_MOST_IN_ONE_BATCH = 500
_MAY_PASS = (InternalError, OutOfTimeError)
"""Refusals of a far side whose supervisor was killed or held up before it could say a word."""


class Attachment:
    """An open line to a runner."""

    def __init__(self, channel: Channel, farewell_s: float = FAREWELL_S) -> None:
        self._channel = channel
        self._farewell_s = farewell_s
        self._until: float | None = None
        self.gone: Mapping[str, Any] | None = None
        """How the runner ended, once that is known."""
        self.epoch = 0
        """The highest epoch that the far side knows of."""
        self.verdict: AgiError | None = None
        """Why the far side can neither join nor start a runner, and never will."""
        self.refusal: AgiError | None = None
        """Why the far side could not start a runner, where trying again may help."""

    async def cancel(self, grace_s: float) -> None:
        """Ask the runner to stop; a runner that is only starting is asked again by the caller."""
        await self._order(op="cancel", grace_s=grace_s)

    async def give_up_slot(self, slot: int, cause: EndCause) -> None:
        """Tell the runner that no worker can be had for a slot any more."""
        facts = cause.to_dict()
        await self._order(op="give_up_slot", slot=slot, reason=cause.detail, cause=facts)

    async def worker_gone(self, slot: int, cause: EndCause) -> None:
        """Tell the runner how a slot's worker ended, or why nothing is heard of it."""
        await self._order(op="worker_gone", slot=slot, cause=cause.to_dict())

    async def drain(self, slot: int) -> None:
        """Have the runner begin nothing more in a slot; again, it changes nothing."""
        await self._order(op="drain", slot=slot)

    async def _order(self, **command: Any) -> None:
        await self._channel.send(json.dumps(command).encode() + b"\n")

    async def batches(self) -> AsyncIterator[list[dict[str, Any]]]:
        """Yield what the runner records, as much together as is there, until it is gone.

        A line that breaks ends the iteration with ``gone`` unset, and so does a runner that is
        settled and stays.

        Raises:
            AgiError: The far side can neither join nor start a runner; it is the ``verdict``.
        """
        queue: asyncio.Queue[bytes | None] = asyncio.Queue(maxsize=2 * _MOST_IN_ONE_BATCH)
        reader = asyncio.create_task(_pump(self._channel, queue), name="attachment reader")
        try:
            open_ = True
            while open_:
                async with asyncio.timeout_at(self._until) as patience:
                    lines = [await queue.get()]
                while len(lines) < _MOST_IN_ONE_BATCH and not queue.empty():
                    lines.append(queue.get_nowait())
                open_ = lines[-1] is not None
                whole = lines if open_ else _without_torn(lines[:-1])
                batch = self._understood([line for line in whole if line is not None])
                if batch:
                    yield batch
            await reader
        except TimeoutError:
            if not patience.expired():
                raise
        finally:
            reader.cancel()
            await asyncio.gather(reader, return_exceptions=True)

    def _understood(self, lines: list[bytes]) -> list[dict[str, Any]]:
        records: list[dict[str, Any]] = []
        for line in lines:
            match json.loads(line):
                case {"record": dict(record)}:
                    records.append(record)
                    if record["kind"] == SETTLED:
                        self._until = asyncio.get_running_loop().time() + self._farewell_s
                case {"attached": {"epoch": int(epoch)}}:
                    self.epoch = epoch
                case {"gone": exit_record}:
                    self.gone = exit_record or {"code": None}
                case {"error": {"code": str(code), "metadata": dict(metadata)}}:
                    self._refused(error_from(code, metadata))
        return records

    def _refused(self, error: AgiError) -> None:
        if not isinstance(error, _MAY_PASS):
            self.verdict = error
            raise error
        self.refusal = error

    def complaint(self) -> str:
        """What the far side wrote to its standard error, in one line."""
        return " ".join(self._channel.stderr_tail().decode(errors="replace").split())[-500:]


@asynccontextmanager
async def attached(
    transport: HostTransport,
    record: RunRecord,
    epoch: int,
    keys: ClusterKeys | None,
    standby: Standby,
) -> AsyncIterator[Attachment]:
    """Join the run's runner, or start one in this epoch.

    Args:
        transport: The runner's host.
        record: The run; records up to its ``journal_seq`` are not sent again.
        epoch: Higher than that of any earlier start.
        keys: Those of the run, for a runner in a cluster mode.
        standby: What may have an attach waiting there.
    """
    arguments = [
        str(place_of(transport, record.run.id)),
        "--epoch",
        str(epoch),
        "--after",
        str(record.journal_seq),
        *(["--keys"] if keys else []),
    ]
    python = python_of(transport, record)
    async with await standby.channel(transport, python, arguments) as channel:
        if keys:
            await channel.send(keys.to_line())
        yield Attachment(channel)


async def _pump(channel: Channel, queue: asyncio.Queue[bytes | None]) -> None:
    try:
        async for line in channel.lines():
            await queue.put(line)
    finally:
        await queue.put(None)


def _without_torn(lines: list[bytes | None]) -> list[bytes | None]:
    """The last lines of a far side; if it was killed in the middle of one, that is left out."""
    try:
        json.loads(lines[-1] or b"") if lines else None
    except ValueError:
        return lines[:-1]
    return lines
