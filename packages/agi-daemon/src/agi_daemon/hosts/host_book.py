"""The hosts that are known: read from memory, kept in the store."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator

from agi_daemon.hosts import host_store
from agi_daemon.hosts.admission import unknown
from agi_daemon.hosts.host_record import HostRecord
from agi_daemon.store.codec import dump
from agi_daemon.store.requests import Claim
from agi_daemon.store.store import Store

Change = Callable[[HostRecord], HostRecord]


class HostBook:
    """The records of all hosts by address; a change is seen once it is stored."""

    def __init__(self, store: Store, this_machine: HostRecord) -> None:
        """Read what is stored.

        Args:
            store: Where it is.
            this_machine: The host that is always there, unless more is stored of it.
        """
        self._store = store
        self._records = {this_machine.address: this_machine}
        self._records |= {record.address: record for record in store.read(host_store.every)}

    def __contains__(self, address: str) -> bool:
        return address in self._records

    def __iter__(self) -> Iterator[HostRecord]:
        return iter([self._records[address] for address in sorted(self._records)])

    def find(self, address: str) -> HostRecord:
        """One host.

        Raises:
            HostNotFoundError: It was never enrolled.
        """
        if address not in self._records:
            raise unknown(address)
        return self._records[address]

    def remember(self, record: HostRecord) -> None:
        """Take note of what is true of this daemon's life only."""
        self._records[record.address] = record

    async def insert(self, record: HostRecord, claim: Claim, otherwise: Change) -> HostRecord:
        """Enrol a host.

        Args:
            record: The host.
            claim: The request that enrols it.
            otherwise: Called with the host of this address that is there already; it may raise.
        """

        def work(connection: sqlite3.Connection) -> HostRecord:
            earlier = host_store.find(connection, record.address)
            kept = record if earlier is None else otherwise(earlier)
            host_store.put(connection, kept)
            claim.remember(connection, record.address)
            return kept

        return self._keep(await self._store.write(work))

    async def change(self, address: str, change: Change, claim: Claim | None = None) -> HostRecord:
        """Change a host as it is stored now, together with what others change of it.

        Raises:
            HostNotFoundError: It is not enrolled any more.
        """
        known = self.find(address)

        def work(connection: sqlite3.Connection) -> HostRecord:
            stored = host_store.find(connection, address)
            if stored is None and not known.always_there:
                raise unknown(address)
            kept = change(stored or known)
            host_store.put(connection, kept)
            if claim is not None:
                claim.remember(connection, address)
            return kept

        return self._keep(await self._store.write(work))

    async def delete(self, record: HostRecord, claim: Claim) -> None:
        """Forget a host; the request remembers it as it was."""

        def work(connection: sqlite3.Connection) -> None:
            host_store.delete(connection, record.address)
            claim.remember(connection, dump(record))

        await self._store.write(work)
        self._records.pop(record.address, None)

    def _keep(self, record: HostRecord) -> HostRecord:
        self._records[record.address] = record
        return record
