"""The hosts and the ways to reach them. This machine is one of them, behind the same protocol."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Sequence
from datetime import UTC, datetime

from attrs import evolve

from agi_cluster.model.host import Host
from agi_cluster.model.page import Page
from agi_daemon.apps.slots import known_as
from agi_daemon.completion import completed
from agi_daemon.hosts import host_life
from agi_daemon.hosts.admission import barrier, refusal
from agi_daemon.hosts.host_book import Change, HostBook
from agi_daemon.hosts.host_record import HostRecord
from agi_daemon.hosts.look import look, own_shape, show
from agi_daemon.hosts.objections import (
    about_this_machine,
    check_etag,
    login_of,
    refuse_twice,
    refuse_used,
)
from agi_daemon.hosts.observed import ObservedTransport
from agi_daemon.hosts.reach import Reach
from agi_daemon.hosts.ways import Ways
from agi_daemon.store import pages
from agi_daemon.store.codec import load
from agi_daemon.store.requests import Claim, Requests
from agi_daemon.store.store import Store
from agi_daemon.transport.host_transport import HostTransport
from agi_env.errors import HostError, HostKeyChangedError


class Hosts:
    """Implements ``agi_cluster.model.services.HostService``, and `Witness` for transports."""

    def __init__(
        self, store: Store, requests: Requests, this_machine: HostTransport, reach: Reach
    ) -> None:
        """Make the registry of what is stored.

        Args:
            store: Where the enrolled hosts are.
            requests: The request ids that were accepted.
            this_machine: How to act on the manager itself.
            reach: How the others are reached.
        """
        self._book = HostBook(store, own_shape())
        self._requests = requests
        self._reach = reach
        self._ways = Ways(this_machine, reach)
        self.leased: Callable[[str], int] = lambda _: 0
        """How many cores of a host runs hold now; set by whoever leases them."""
        self.users: Callable[[str], Sequence[str]] = lambda _: ()
        """The resources that need a host, such as ``runs/ID``; set by whoever keeps them."""
        self.on_drain: Callable[[str], Awaitable[None]] = _nobody_minds
        """Told of each host that was drained; set by whoever has something running there."""

    async def list_hosts(self, *, page_size: int = 0, page_token: str = "") -> Page[Host]:
        """A page of hosts by address."""
        limit = pages.page_limit(page_size)
        last = pages.position_of(page_token, "hosts")
        later = [record for record in self._book if record.address > last]
        shown = [self._shown(record) for record in later[:limit]]
        token = pages.page_token(shown[-1].address, "hosts") if later[limit:] else ""
        return Page(items=shown, next_page_token=token)

    async def get_host(self, name: str) -> Host:
        """One host, by resource name or address."""
        return self._shown(self._known(name))

    async def create_host(
        self,
        address: str,
        *,
        user: str = "",
        port: int = 0,
        identity_file: str = "",
        trust_fingerprint: str = "",
        request_id: str = "",
        validate_only: bool = False,
    ) -> Host:
        """Enrol a host: ask it for its key, and accept that key if it is the one that is named."""
        login = login_of(address, user, port, identity_file)
        content = (address, user, port, identity_file, trust_fingerprint)
        async with self._requests.claim(request_id, "CreateHost", content) as claim:
            if claim.earlier:
                return await self.get_host(claim.earlier)
            if login.address in self._book:
                refuse_twice(self._book.find(login.address))
            key = await self._reach.offered_key(login)
            record = host_life.enrolled(login, key, datetime.now(UTC))
            if trust_fingerprint:
                record = host_life.trusted(record, trust_fingerprint)
            if validate_only:
                return self._shown(record)
            return await completed(self._enrol(record, claim))

    async def trust_host(
        self, name: str, fingerprint: str, *, request_id: str = "", validate_only: bool = False
    ) -> Host:
        """Accept the key of a host, which has to be this one; log in and read its facts."""
        record = self._remote(name)
        content = (record.address, fingerprint)
        async with self._requests.claim(request_id, "TrustHost", content) as claim:
            if claim.earlier:
                return await self.get_host(claim.earlier)
            shown = await self._showing(record, fingerprint)
            trusted = host_life.trusted(shown(record), fingerprint)
            if validate_only:
                return self._shown(trusted)
            return await completed(
                self._pin(
                    record.address,
                    lambda stored: host_life.trusted(shown(stored), fingerprint),
                    claim,
                )
            )

    async def authorize_host(
        self, name: str, password: str, *, request_id: str = "", validate_only: bool = False
    ) -> Host:
        """Install the daemon's own key after one login by password, and read the host's facts."""
        record = self._remote(name)
        # The password is no part of what tells requests apart: not even a digest of it is kept.
        async with self._requests.claim(request_id, "AuthorizeHost", record.address) as claim:
            if claim.earlier:
                return await self.get_host(claim.earlier)
            closed, pinned = barrier(record.host), record.pinned_key
            if closed is not None or pinned is None:
                raise closed or host_life.untrusted(record)
            if validate_only:
                return self._shown(record)
            await self._reach.authorize(record.login, pinned, password)
            return await completed(self._pin(record.address, lambda stored: stored, claim))

    async def check_host(
        self, name: str, *, request_id: str = "", validate_only: bool = False
    ) -> Host:
        """Look at a host again; what is wrong with it is in the answer."""
        record = self._known(name)
        async with self._requests.claim(request_id, "CheckHost", record.address) as claim:
            if claim.earlier:
                return await self.get_host(claim.earlier)
            if validate_only:
                seen = await look(record, self._ways, self._reach)
                return self._shown(seen(record))
            return await completed(self._look(record.address, claim))

    async def drain_host(
        self, name: str, *, etag: str = "", request_id: str = "", validate_only: bool = False
    ) -> Host:
        """Have nothing new placed on a host; what runs there goes on."""
        drained = await self._decide(
            "DrainHost",
            name,
            lambda record: host_life.drained(record, drain=True),
            (etag, request_id, validate_only),
        )
        if not validate_only:
            await self.on_drain(drained.address)
        return drained

    async def resume_host(
        self, name: str, *, etag: str = "", request_id: str = "", validate_only: bool = False
    ) -> Host:
        """End the draining of a host."""
        return await self._decide(
            "ResumeHost",
            name,
            lambda record: host_life.drained(record, drain=False),
            (etag, request_id, validate_only),
        )

    async def delete_host(
        self, name: str, *, etag: str = "", request_id: str = "", validate_only: bool = False
    ) -> Host:
        """Forget a host that nothing uses; returns it as it was."""
        address = _address(name)
        async with self._requests.claim(request_id, "DeleteHost", (address, etag)) as claim:
            if claim.earlier:
                return self._shown(load(claim.earlier, HostRecord))
            record = self._remote(name)
            check_etag(record, etag)
            refuse_used(address, self.users(address))
            if not validate_only:
                await completed(self._book.delete(record, claim))
                await self._ways.close(address)
            return self._shown(record)

    def record(self, address: str) -> HostRecord:
        """All that is kept of a host.

        Raises:
            HostNotFoundError: It was never enrolled.
        """
        return self._known(address)

    def transport(self, address: str) -> HostTransport:
        """The way to act on a host.

        Raises:
            HostNotFoundError: It was never enrolled.
            HostKeyUntrustedError: Its key was not accepted yet.
            HostKeyChangedError: It shows another key than the accepted one.
        """
        record = self._known(address)
        way = self._ways.to(record)
        return way if record.always_there else ObservedTransport(way, self)

    def addresses(self) -> tuple[str, ...]:
        """All hosts that are known, this machine among them."""
        return tuple(record.address for record in self._book)

    def cores(self, address: str) -> int:
        """The cores of a host; 0 as long as it has not said.

        Raises:
            HostNotFoundError: It was never enrolled.
        """
        return self._known(address).host.cores

    def capacity(self, address: str) -> int:
        """The cores of a host; 0 also for one that is not there any more."""
        return self.cores(address) if known_as(address) in self._book else 0

    def drained(self) -> frozenset[str]:
        """The hosts on which nothing new is placed."""
        return frozenset(record.address for record in self._book if record.host.drained)

    def admit(self, addresses: Iterable[str]) -> None:
        """See that something new may be placed on all of these hosts.

        Raises:
            HostNotFoundError: One was never enrolled.
            HostDrainedError: One is drained.
            HostKeyUntrustedError: The key of one was not accepted yet.
            HostKeyChangedError: One shows another key than the accepted one.
            HostError: One was trusted and has never been reached.
        """
        for address in addresses:
            error = refusal(self._known(address).host)
            if error is not None:
                raise error

    async def note_answer(self, address: str) -> None:
        """The host has done what it was asked: silence of before counts no more."""
        if address not in self._book:
            return
        record, now = self._book.find(address), datetime.now(UTC)
        seen = host_life.answered(record, now)
        if barrier(record.host) is not None:
            return
        if seen.host.state is record.host.state:
            self._book.remember(evolve(record, host=evolve(record.host, seen_time=now)))
        else:
            await self._book.change(address, lambda stored: host_life.answered(stored, now))

    async def note_failure(self, address: str, error: HostError) -> None:
        """The host did not answer, or not as it has to."""
        if address not in self._book:
            return
        record, now = self._book.find(address), datetime.now(UTC)
        if isinstance(error, HostKeyChangedError):
            await self._book.change(address, await show(record, self._reach))
        elif record.host.error is None or record.host.error.code != error.code:
            await self._book.change(address, lambda stored: host_life.failed(stored, error, now))

    async def aclose(self) -> None:
        """Let go of all connections."""
        await self._ways.aclose()

    async def _enrol(self, record: HostRecord, claim: Claim) -> Host:
        await self._book.insert(record, claim, refuse_twice)
        if not record.pinned:
            return self._shown(record)
        return await self._look(record.address)

    async def _pin(self, address: str, change: Change, claim: Claim) -> Host:
        """Store what was decided, then look at what came of it."""
        before = self._book.find(address)
        after = await self._book.change(address, change, claim)
        if after.pinned != before.pinned:
            await self._ways.close(address)
        return await self._look(address)

    async def _look(self, address: str, claim: Claim | None = None) -> Host:
        seen = await look(self._book.find(address), self._ways, self._reach)
        return self._shown(await self._book.change(address, seen, claim))

    async def _showing(self, record: HostRecord, fingerprint: str) -> Change:
        """What is known of the key that the host shows, asked again if it is not this one."""
        offered = record.offered_key
        if offered is not None and offered.fingerprint == fingerprint:
            return lambda stored: stored
        key, now = await self._reach.offered_key(record.login), datetime.now(UTC)
        return lambda stored: host_life.shown(stored, key, now)

    async def _decide(
        self, method: str, name: str, change: Change, how: tuple[str, str, bool]
    ) -> Host:
        """Change what people decide about a host."""
        etag, request_id, validate_only = how
        record = self._known(name)
        async with self._requests.claim(request_id, method, (record.address, etag)) as claim:
            if claim.earlier:
                return await self.get_host(claim.earlier)

            def decided(stored: HostRecord) -> HostRecord:
                check_etag(stored, etag)
                return change(stored)

            if validate_only:
                return self._shown(decided(record))
            return self._shown(await self._book.change(record.address, decided, claim))

    def _known(self, name: str) -> HostRecord:
        return self._book.find(_address(name))

    def _remote(self, name: str) -> HostRecord:
        record = self._known(name)
        if record.always_there:
            raise about_this_machine(name)
        return record

    def _shown(self, record: HostRecord) -> Host:
        leased = self.leased(record.address)
        return evolve(record.host, leased_cores=leased, etag=record.etag)


async def _nobody_minds(address: str) -> None:
    """Nothing runs anywhere."""


def _address(name: str) -> str:
    return known_as(name.removeprefix("hosts/"))
