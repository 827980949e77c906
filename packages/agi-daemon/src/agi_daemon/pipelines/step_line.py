"""The daemon's line to the process of one step; losing it, or this daemon, never harms the step."""

from __future__ import annotations

import json
import sys
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from agi_daemon.transport.host_transport import Channel, HostTransport
from agi_env.errors import error_from
from agi_env.module_command import module_command


class StepLine:
    """An open line to a step."""

    def __init__(self, channel: Channel) -> None:
        self._channel = channel

    async def stop(self, grace_s: float) -> None:
        """Have the step end, and have it killed after the grace."""
        line = json.dumps({"op": "stop", "grace_s": grace_s})
        await self._channel.send(line.encode() + b"\n")

    async def end(self) -> StepEnd | None:
        """Wait until the process is gone; None: the line broke before.

        Raises:
            AgiError: It cannot be started.
        """
        async for line in self._channel.lines():
            match json.loads(line):
                case {"gone": record}:
                    return StepEnd(record)
                case {"error": {"code": str(code), "metadata": dict(metadata)}}:
                    raise error_from(code, metadata)
        return None


class StepEnd:
    """How the process of a step ended.

    Attributes:
        lost: A crash took it and its supervisor: how it ended, nobody knows.
        code: Its exit code; None where a signal ended it.
        signal: That signal's number.
    """

    def __init__(self, record: Mapping[str, Any] | None) -> None:
        self.lost = record is None
        self.code: int | None = record["code"] if record else None
        self.signal: int | None = record["signal"] if record else None


@asynccontextmanager
async def attached(
    transport: HostTransport, directory: Path, epoch: int
) -> AsyncIterator[StepLine]:
    """Join the process of a step, or start it; at most one is started with each epoch."""
    arguments = (str(directory), "--epoch", str(epoch))
    argv = module_command(sys.executable, "agi_daemon.pipelines.step_attach", *arguments)
    async with await transport.open_channel(argv) as channel:
        yield StepLine(channel)
