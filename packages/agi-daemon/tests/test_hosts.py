"""Hosts from their enrolment to their removal, over hosts that are folders of this machine."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import AsyncIterator, Sequence
from datetime import UTC, datetime
from pathlib import Path, PurePosixPath

import pytest
from attrs import evolve

from agi_cluster.model.host import Host, HostState
from agi_cluster.model.installation import Installation, InstallationState
from agi_daemon.hosts.host_users import users_of
from agi_daemon.hosts.hosts import Hosts
from agi_daemon.install import installation_store
from agi_daemon.install.installation_store import InstallationRecord
from agi_daemon.store.codec import dump
from agi_daemon.store.requests import Requests
from agi_daemon.store.store import Store
from agi_daemon.transport.host_key import HostKey
from agi_daemon.transport.host_transport import HostTransport
from agi_daemon.transport.local import LocalTransport
from agi_daemon.transport.login import Login
from agi_env.errors import (
    AgiError,
    AlreadyExistsError,
    EtagMismatchError,
    HostConnectionLostError,
    HostDrainedError,
    HostInUseError,
    HostKeyChangedError,
    HostKeyUntrustedError,
    HostLoginError,
    HostNotFoundError,
    HostUnreachableError,
    RequestInvalidError,
)
from agi_env.mode import Mode

A = HostKey("ssh-ed25519", b"\0\0\0\x0bssh-ed25519" + b"a" * 32)
B = HostKey("ssh-ed25519", b"\0\0\0\x0bssh-ed25519" + b"b" * 32)
HERE = "127.0.0.1"


class FolderTransport(LocalTransport):
    """A host that is a folder; it fails with what its reach says."""

    def __init__(self, reach: FolderReach, login: Login, pinned: HostKey, python: str) -> None:
        root = reach.folder / login.address.replace(":", "_")
        super().__init__(root, host=login.address, python=python)
        self.reach = reach
        self.pinned = pinned

    async def run(self, *args, **kwargs):
        self.reach.raise_for(self.host, self.pinned)
        return await super().run(*args, **kwargs)

    async def read_file(self, *args, **kwargs):
        self.reach.raise_for(self.host, self.pinned)
        return await super().read_file(*args, **kwargs)


class FolderReach:
    """Reaches folders as if they were hosts, which show keys and fail as they are told."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.keys: dict[str, HostKey] = {}
        self.faults: dict[str, AgiError] = {}
        self.passwords: list[str] = []
        self.made: list[FolderTransport] = []
        self.asked = 0

    def raise_for(self, host: str, pinned: HostKey) -> None:
        if self.keys.get(host, A) != pinned:
            raise HostKeyChangedError("it shows another key", where=host)
        if host in self.faults:
            raise self.faults[host]

    async def offered_key(self, login: Login) -> HostKey:
        self.asked += 1
        await asyncio.sleep(0)
        fault = self.faults.get(login.address)
        if isinstance(fault, HostUnreachableError):
            raise fault
        return self.keys.get(login.address, A)

    def transport(
        self, login: Login, pinned: HostKey, *, root: PurePosixPath, python: str, uv: str
    ) -> HostTransport:
        self.made.append(FolderTransport(self, login, pinned, python))
        return self.made[-1]

    async def authorize(self, login: Login, pinned: HostKey, password: str) -> None:
        self.passwords.append(password)
        if password != "right":
            raise HostLoginError("root may not log in with this password", where=login.address)
        self.faults.pop(login.address, None)


class Kept:
    """A daemon's hosts, which can be closed and opened again."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.reach = FolderReach(folder)
        self.users: Sequence[str] = ()
        self.open()

    def open(self) -> None:
        self.store = Store.open(self.folder / "store.sqlite3")
        here = LocalTransport(self.folder / "here")
        self.hosts = Hosts(self.store, Requests(self.store), here, self.reach)
        self.hosts.users = lambda _: self.users

    async def reopen(self) -> Hosts:
        await self.close()
        self.open()
        return self.hosts

    async def close(self) -> None:
        await self.hosts.aclose()
        self.store.close()


@pytest.fixture
async def kept(tmp_path: Path) -> AsyncIterator[Kept]:
    kept = Kept(tmp_path)
    yield kept
    await kept.close()


@pytest.fixture
def hosts(kept: Kept) -> Hosts:
    return kept.hosts


@pytest.fixture
def reach(kept: Kept) -> FolderReach:
    return kept.reach


async def ready(hosts: Hosts, address: str = "h1") -> Host:
    return await hosts.create_host(address, trust_fingerprint=A.fingerprint)


async def test_an_enrolled_host_waits_for_trust_and_says_the_command(hosts: Hosts) -> None:
    host = await hosts.create_host("h1", user="root", port=2222)
    assert (host.state, host.user, host.port) == (HostState.UNTRUSTED, "root", 2222)
    assert (host.offered_fingerprint, host.fingerprint) == (A.fingerprint, "")
    assert host.error is not None
    assert host.error.remedy.endswith(f"`agi hosts trust h1 --fingerprint {A.fingerprint}`")
    with pytest.raises(HostKeyUntrustedError):
        hosts.transport("h1")
    with pytest.raises(HostKeyUntrustedError):
        hosts.admit(["h1"])


async def test_trust_reads_all_facts_in_one_round_trip(hosts: Hosts, reach: FolderReach) -> None:
    await hosts.create_host("h1")
    host = await hosts.trust_host("h1", A.fingerprint)
    assert (host.state, host.reason, host.error) == (HostState.READY, "", None)
    assert host.cores > 0 and host.memory_bytes > 0 and host.disk_free_bytes > 0
    assert host.python_version >= "3.11" and Path(host.python_path).exists()
    assert host.pythons[0] == f"{host.python_version} {host.python_path}"
    assert host.uv_version and host.platform == "linux-x86_64" and host.libc.startswith("glibc")
    assert host.home and host.account and host.boot_id and host.os
    assert abs(host.clock_offset) < 5 and host.seen_time is not None
    assert len(reach.made) == 1
    hosts.admit(["h1", HERE])
    assert hosts.cores("h1") == host.cores


async def test_one_transport_is_kept_and_has_what_was_found(hosts: Hosts) -> None:
    host = await ready(hosts)
    first, second = hosts.transport("h1"), hosts.transport("hosts/h1")
    assert first.inner is second.inner
    assert first.python == host.python_path
    done = await first.run(["echo", "here"], deadline_s=10)
    assert done.stdout == b"here\n"


async def test_trust_of_another_fingerprint_accepts_nothing(
    hosts: Hosts, reach: FolderReach
) -> None:
    await hosts.create_host("h1")
    with pytest.raises(HostKeyUntrustedError, match=f"{A.fingerprint} and not SHA256:x"):
        await hosts.trust_host("h1", "SHA256:x")
    with pytest.raises(HostKeyUntrustedError, match="nothing was accepted"):
        await hosts.create_host("h2", trust_fingerprint="SHA256:x")
    assert (await hosts.get_host("h1")).state is HostState.UNTRUSTED
    with pytest.raises(HostNotFoundError):
        await hosts.get_host("h2")
    reach.keys["h1"] = B  # installed anew between add and trust: it is asked again
    assert (await hosts.trust_host("h1", B.fingerprint)).state is HostState.READY


async def test_a_changed_key_stops_everything_until_it_is_trusted(
    hosts: Hosts, reach: FolderReach
) -> None:
    await ready(hosts)
    transport = hosts.transport("h1")
    reach.keys["h1"] = B
    with pytest.raises(HostKeyChangedError):
        await transport.run(["true"], deadline_s=5)
    host = await hosts.get_host("h1")
    assert host.state is HostState.KEY_CHANGED
    assert (host.fingerprint, host.offered_fingerprint) == (A.fingerprint, B.fingerprint)
    with pytest.raises(HostKeyChangedError) as refused:
        hosts.transport("h1")
    said = str(refused.value)
    assert A.fingerprint in said and B.fingerprint in said
    assert "installed anew" in said and "in between" in said
    assert f"`agi hosts trust h1 --fingerprint {B.fingerprint}`" in said
    assert "`agi hosts remove h1`" in said
    assert (await hosts.check_host("h1")).state is HostState.KEY_CHANGED
    again = await hosts.trust_host("h1", B.fingerprint)
    assert (again.state, again.fingerprint) == (HostState.READY, B.fingerprint)


async def test_a_host_that_shows_the_accepted_key_again_is_that_host(
    hosts: Hosts, reach: FolderReach
) -> None:
    await ready(hosts)
    reach.keys["h1"] = B
    assert (await hosts.check_host("h1")).state is HostState.KEY_CHANGED
    reach.keys["h1"] = A
    host = await hosts.check_host("h1")
    assert (host.state, host.offered_fingerprint) == (HostState.READY, A.fingerprint)


async def test_a_broken_connection_makes_a_host_suspect_until_its_next_answer(
    hosts: Hosts, reach: FolderReach
) -> None:
    await ready(hosts)
    transport = hosts.transport("h1")
    reach.faults["h1"] = HostConnectionLostError("the connection broke", where="h1")
    with pytest.raises(HostConnectionLostError):
        await transport.run(["true"], deadline_s=5)
    host = await hosts.get_host("h1")
    assert (host.state, host.reason) == (HostState.SUSPECT, "the connection broke")
    hosts.admit(["h1"])
    del reach.faults["h1"]
    await transport.run(["true"], deadline_s=5)
    host = await hosts.get_host("h1")
    assert (host.state, host.reason) == (HostState.READY, "")


async def test_a_login_that_is_refused_is_authorized_with_one_password(
    hosts: Hosts, reach: FolderReach, kept: Kept
) -> None:
    reach.faults["h1"] = HostLoginError("root may not log in", where="h1")
    host = await ready(hosts)
    assert (host.state, host.error and host.error.code) == (
        HostState.UNUSABLE,
        "HOST_LOGIN_REFUSED",
    )
    with pytest.raises(HostLoginError):
        hosts.admit(["h1"])
    with pytest.raises(HostLoginError):
        await hosts.authorize_host("h1", "wrong")
    host = await hosts.authorize_host("h1", "right")
    assert (host.state, reach.passwords) == (HostState.READY, ["wrong", "right"])
    for path in kept.folder.glob("store.sqlite3*"):
        assert b"right" not in path.read_bytes()


async def test_what_cannot_be_reached_is_not_enrolled(hosts: Hosts, reach: FolderReach) -> None:
    reach.faults["h1"] = HostUnreachableError("nothing listens at that port", where="h1")
    with pytest.raises(HostUnreachableError):
        await hosts.create_host("h1")
    with pytest.raises(HostNotFoundError) as unknown:
        hosts.admit([HERE, "h1"])
    assert "`agi hosts add h1`" in unknown.value.remedy


async def test_two_enrolments_at_once_make_one_host(hosts: Hosts) -> None:
    both = await asyncio.gather(
        hosts.create_host("h1"), hosts.create_host("h1"), return_exceptions=True
    )
    assert sorted(type(each).__name__ for each in both) == ["AlreadyExistsError", "Host"]
    with pytest.raises(AlreadyExistsError) as refused:
        await hosts.create_host("h1")
    assert f"`agi hosts trust h1 --fingerprint {A.fingerprint}`" in refused.value.remedy


async def test_a_repeat_has_the_first_answer(hosts: Hosts, reach: FolderReach) -> None:
    mark = str(uuid.uuid4())
    first = await hosts.create_host("h1", request_id=mark)
    assert await hosts.create_host("h1", request_id=mark) == first
    assert reach.asked == 1
    gone = await hosts.delete_host("h1", request_id=(mark := str(uuid.uuid4())))
    assert dump(await hosts.delete_host("h1", request_id=mark)) == dump(gone)


async def test_a_dry_run_changes_nothing(hosts: Hosts) -> None:
    host = await hosts.create_host("h1", validate_only=True)
    assert host.state is HostState.UNTRUSTED
    with pytest.raises(HostNotFoundError):
        await hosts.get_host("h1")
    await hosts.create_host("h1")
    before = await hosts.get_host("h1")
    dry = await hosts.trust_host("h1", A.fingerprint, validate_only=True)
    assert (dry.state, dry.fingerprint) == (HostState.SUSPECT, A.fingerprint)
    assert (await hosts.drain_host("h1", validate_only=True)).drained
    await hosts.delete_host("h1", validate_only=True)
    await hosts.check_host("h1", validate_only=True)
    assert await hosts.get_host("h1") == before


async def test_all_is_there_after_a_restart(kept: Kept) -> None:
    await kept.hosts.create_host("untrusted")
    await ready(kept.hosts, "ready")
    await kept.hosts.drain_host("ready")
    await kept.hosts.drain_host(HERE)
    before = await kept.hosts.list_hosts()
    hosts = await kept.reopen()
    assert dump(await hosts.list_hosts()) == dump(before)
    assert (await hosts.trust_host("untrusted", A.fingerprint)).state is HostState.READY
    assert (await hosts.resume_host(HERE)).drained is False


async def test_a_crash_between_trust_and_facts_leaves_a_host_to_look_at(
    kept: Kept, reach: FolderReach
) -> None:
    await kept.hosts.create_host("h1")
    reach.faults["h1"] = AgiError("the daemon was killed here")
    with pytest.raises(HostKeyUntrustedError):
        kept.hosts.admit(["h1"])
    await kept.hosts.trust_host("h1", A.fingerprint)
    hosts = await kept.reopen()
    host = await hosts.get_host("h1")
    assert (host.fingerprint, host.cores) == (A.fingerprint, 0)
    with pytest.raises(AgiError):
        hosts.admit(["h1"])
    del reach.faults["h1"]
    assert (await hosts.check_host("h1")).state is HostState.READY


async def test_a_drained_host_keeps_what_it_has_and_gets_nothing_new(hosts: Hosts) -> None:
    await ready(hosts)
    host = await hosts.drain_host("h1")
    with pytest.raises(HostDrainedError) as refused:
        hosts.admit(["h1"])
    assert "`agi hosts resume h1`" in refused.value.remedy
    assert hosts.transport("h1")
    with pytest.raises(EtagMismatchError):
        await hosts.resume_host("h1", etag="0")
    resumed = await hosts.resume_host("h1", etag=host.etag)
    assert resumed.etag != host.etag
    hosts.admit(["h1"])


async def test_a_host_that_is_used_stays_and_says_by_what(hosts: Hosts, kept: Kept) -> None:
    await ready(hosts)
    kept.users = ("runs/flights-1", "installations/i1")
    with pytest.raises(HostInUseError, match="used by runs/flights-1, installations/i1"):
        await hosts.delete_host("h1")
    kept.users = ()
    await hosts.delete_host("h1")
    with pytest.raises(HostNotFoundError):
        hosts.transport("h1")
    assert hosts.capacity("h1") == 0


@pytest.mark.parametrize("name", ["127.0.0.1", "localhost", "::1", "0:0:0:0:0:0:0:1"])
async def test_this_machine_needs_no_enrolment(hosts: Hosts, name: str) -> None:
    host = await hosts.get_host(name)
    assert (host.address, host.state) == (HERE, HostState.READY)
    for change in (
        hosts.create_host(name),
        hosts.trust_host(name, "SHA256:x"),
        hosts.authorize_host(name, "p"),
        hosts.delete_host(name),
    ):
        with pytest.raises(RequestInvalidError, match="this machine"):
            await change


async def test_this_machine_is_looked_at_like_any_other(hosts: Hosts) -> None:
    host = await hosts.check_host(HERE)
    assert (host.state, host.error) == (HostState.READY, None)
    assert host.uv_version and host.boot_id and host.root.endswith("here")


@pytest.mark.parametrize(
    "given",
    [
        {"address": "-oProxyCommand=x"},
        {"address": "h 1"},
        {"address": "h1", "user": "a b"},
        {"address": "h1", "user": "-l"},
        {"address": "h1", "port": 65536},
        {"address": "h1", "identity_file": "/nowhere/key"},
    ],
)
async def test_what_is_no_login_is_refused(hosts: Hosts, given: dict[str, object]) -> None:
    with pytest.raises(RequestInvalidError):
        await hosts.create_host(**given)


async def test_every_spelling_of_an_address_is_one_host(hosts: Hosts) -> None:
    await ready(hosts, "fd00:213:0:0:0:0:0:1")
    assert (await hosts.get_host("FD00:213::1")).address == "fd00:213::1"
    assert [host.address for host in (await hosts.list_hosts()).items] == [HERE, "fd00:213::1"]


async def test_runs_and_installations_that_are_not_settled_use_their_hosts(
    kept: Kept,
) -> None:
    store = kept.store
    installation = Installation(
        id="i1",
        app="toy_project",
        state=InstallationState.INSTALLING,
        modes_enabled=Mode(4),
        create_time=datetime.now(UTC),
    )
    record = InstallationRecord(
        installation=installation, app_path="/toy", hosts=("h1",), upgrade=False
    )
    await store.write(lambda tx: installation_store.insert(tx, record))
    assert store.read(lambda db: users_of(db, "h1")) == ["installations/i1"]
    assert store.read(lambda db: users_of(db, "h2")) == []
    settled = evolve(installation, state=InstallationState.FAILED)
    await store.write(
        lambda tx: installation_store.update(tx, evolve(record, installation=settled))
    )
    assert store.read(lambda db: users_of(db, "h1")) == []
