"""Whether workers reach the port at which a run's scheduler would listen."""

from __future__ import annotations

import json
import secrets
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from attrs import frozen

from agi_daemon.doctor.ladder import Seen
from agi_daemon.doctor.on_host import PORT
from agi_daemon.transport.host_program import command
from agi_daemon.transport.host_transport import Channel, HostTransport
from agi_env.errors import RefusedError, SchedulerUnreachableError
from agi_env.runtime.port_range import PortRange

LISTEN_S = 12.0
"""How long it is listened at most; the end of the channel ends it before."""

_CONNECT_S = 2.0
_LATE_S = 1.0


@frozen(kw_only=True)
class Listener:
    """A port that is listened at on the scheduler's host, for the moment.

    Attributes:
        address: The address that the workers are given.
        port: The port.
        token: What everybody hears who connects.
    """

    address: str
    port: int
    token: str

    @property
    def place(self) -> str:
        """Address and port as people write them."""
        host = f"[{self.address}]" if ":" in self.address else self.address
        return f"{host}:{self.port}"


@asynccontextmanager
async def listening(
    scheduler: HostTransport, address: str, ports: PortRange
) -> AsyncIterator[Listener]:
    """Listen on the scheduler's host as a run would, for the time of a ``with``.

    Args:
        scheduler: The scheduler's host.
        address: Its address, as the map gives it to the workers.
        ports: The ports of which a run takes one.

    Raises:
        SchedulerUnreachableError: The host has no such address, or no port is free.
        AgiError: The host cannot be asked.
    """
    token = secrets.token_hex(16)
    request = {
        "act": "listen",
        "address": address,
        "first": ports.first,
        "last": ports.last,
        "seconds": LISTEN_S,
        "token": token,
    }
    async with await scheduler.open_channel(command(scheduler)) as channel:
        await channel.send(PORT.prelude(scheduler, request))
        port = await _port(channel, scheduler.host, f"{address}, ports {ports}")
        yield Listener(address=address, port=port, token=token)


async def scheduler_seen(worker: HostTransport, listener: Listener) -> Seen:
    """Have a worker's host connect.

    Raises:
        SchedulerUnreachableError: It cannot.
        AgiError: It cannot be asked.
    """
    request = {
        "act": "connect",
        "address": listener.address,
        "port": listener.port,
        "limit_s": _CONNECT_S,
    }
    answer = await PORT.ask(worker, request, deadline_s=_CONNECT_S + _LATE_S)
    if answer["heard"] == listener.token:
        return Seen(listener.place)
    raise _unreachable(worker.host, listener, answer)


def _unreachable(
    host: str, listener: Listener, answer: dict[str, Any]
) -> SchedulerUnreachableError:
    reason = str(answer.get("words", "")).lower() or "somebody else answers there"
    facts = {"host": host, "scheduler": listener.place}
    if listener.address in ("127.0.0.1", "::1", "localhost"):
        return SchedulerUnreachableError(
            f"the scheduler's address {listener.address} is every machine's own: {reason}",
            where=host,
            remedy="Give the address by which the workers reach the scheduler's host:"
            " `agi settings set APP cluster.scheduler=ADDRESS`",
            metadata=facts,
        )
    return SchedulerUnreachableError(
        f"{listener.place} cannot be reached from here: {reason}", where=host, metadata=facts
    )


async def _port(channel: Channel, host: str, wanted: str) -> int:
    async for line in channel.lines():
        said = json.loads(line)
        if said.get("port"):
            return int(said["port"])
        reason = str(said.get("words", said)).lower()
        raise SchedulerUnreachableError(
            f"nothing can listen at {wanted}: {reason}",
            where=host,
            remedy="Give an address that this host has, and with AGI_SCHEDULER_PORTS ports that"
            " are free",
        )
    last = channel.stderr_tail().decode(errors="replace").strip().splitlines()
    raise RefusedError(f"nothing listens at {wanted}: {' '.join(last[-1:])}", where=host)
