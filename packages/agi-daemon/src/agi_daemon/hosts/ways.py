"""The transports of the hosts: one for each, kept for the daemon's life."""

from __future__ import annotations

import asyncio
from pathlib import PurePosixPath

from attrs import frozen

from agi_daemon.hosts.admission import barrier
from agi_daemon.hosts.host_record import HostRecord
from agi_daemon.hosts.reach import Reach
from agi_daemon.hosts.survey import REMOTE_ROOT
from agi_daemon.transport.host_transport import HostTransport
from agi_env.errors import HostKeyUntrustedError


@frozen
class _Way:
    transport: HostTransport
    facts: tuple[object, ...]
    """What it was made for."""


class Ways:
    """Makes the transport of a host when it is first needed, and again when its facts change."""

    def __init__(self, this_machine: HostTransport, reach: Reach) -> None:
        self._this_machine = this_machine
        self._reach = reach
        self._ways: dict[str, _Way] = {}
        self._retired: list[HostTransport] = []
        """Made for facts of earlier, and perhaps still used: a run goes on with what it has."""

    def to(self, record: HostRecord) -> HostTransport:
        """The way to act on a host.

        Raises:
            HostKeyUntrustedError: Its key was not accepted yet.
            HostKeyChangedError: It shows another key than the accepted one.
        """
        if record.always_there:
            return self._this_machine
        closed, pinned = barrier(record.host), record.pinned_key
        if closed is not None:
            raise closed
        if pinned is None:
            raise HostKeyUntrustedError(
                "it has no accepted key",
                where=record.address,
                metadata={"host": record.address},
            )
        host = record.host
        facts = (record.login, record.pinned, host.root, host.python_path, host.uv_path)
        known = self._ways.get(record.address)
        if known is not None and known.facts == facts:
            return known.transport
        if known is not None:
            self._retired.append(known.transport)
        transport = self._reach.transport(
            record.login,
            pinned,
            root=PurePosixPath(host.root) if host.root else REMOTE_ROOT,
            python=host.python_path or "python3",
            uv=host.uv_path,
        )
        self._ways[record.address] = _Way(transport, facts)
        return transport

    async def close(self, address: str) -> None:
        """Let go of the connections to a host."""
        known = self._ways.pop(address, None)
        if known is not None:
            await known.transport.aclose()

    async def aclose(self) -> None:
        """Let go of all connections."""
        transports = [*self._retired, *(way.transport for way in self._ways.values())]
        self._retired, self._ways = [], {}
        closing = [transport.aclose() for transport in (*transports, self._this_machine)]
        await asyncio.gather(*closing, return_exceptions=True)
