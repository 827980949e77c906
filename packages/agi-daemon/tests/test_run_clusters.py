"""What the daemon adds to a run in a cluster mode: keys, ports, a scheduler, moved partitions."""

from __future__ import annotations

import os
import ssl
import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import cast

import pytest
from attrs import evolve
from cryptography import x509

from agi_cluster.model.event import Event
from agi_cluster.model.run import PartitionState, Run, RunPartition, RunProgress, RunState
from agi_cluster.model.selection import Selection
from agi_daemon.apps.resolution import Resolution
from agi_daemon.events import Fact
from agi_daemon.runs.absorb import Place, absorb
from agi_daemon.runs.cluster_settings import ClusterSettings
from agi_daemon.runs.journal_restored import restored
from agi_daemon.runs.meeting import meeting_host, successor
from agi_daemon.runs.record import RunRecord, SchedulerPlace
from agi_daemon.runs.run_directory import spec_of
from agi_daemon.runs.run_keys import RunKeys
from agi_daemon.store.codec import dump, load
from agi_daemon.transport.host_transport import Completed, HostTransport
from agi_env.errors import InvalidInputError, RefusedError
from agi_env.mode import Mode
from agi_env.runtime.cluster_keys import KeyFiles
from agi_env.runtime.cluster_spec import ClusterSpec
from agi_env.runtime.journal import Journal, read
from agi_env.runtime.spec import SlotSpec

PLACES = {"p1": Place("first", 1.0, 0)}
RUNNING = RunPartition(
    id="p1", label="first", weight=1.0, state=PartitionState.RUNNING, slot=0, attempts=1
)


def record(mode: Mode = Mode.CLUSTER, scheduler: str = "localhost") -> RunRecord:
    resolution = Resolution(
        app="toy_project",
        target="toy",
        app_path="/apps/toy_project",
        mode=mode,
        modes_enabled=mode,
        selection=Selection(scheduler=scheduler, workers={"10.0.0.2": 1}),
        slots=(SlotSpec(0, "10.0.0.2"), SlotSpec(1, "10.0.0.2")),
        args={},
        data_in="/share/in",
        data_out="/share/out",
        verbose=1,
        partition_timeout=None,
        run_timeout=60.0,
        settings_digest="d",
    )
    run = Run(
        id="toy-1",
        app="toy_project",
        mode=mode,
        state=RunState.RUNNING,
        create_time=datetime(2026, 1, 2, tzinfo=UTC),
        progress=RunProgress(total=2, running=1),
    )
    builds = {host: f"/on/{host}" for host in resolution.hosts}
    return RunRecord(number=7, run=run, resolution=resolution, builds=builds)


# Keys.


def test_the_keys_of_a_run_are_made_once_private_and_forgotten(tmp_path: Path) -> None:
    keys = RunKeys(tmp_path / "keys")
    first = keys.ensure("run-1")
    assert keys.ensure("run-1") == first
    assert keys.ensure("run-2") != first
    for place in (tmp_path / "keys", tmp_path / "keys" / "run-1"):
        assert place.stat().st_mode & 0o777 == 0o700
    assert (tmp_path / "keys" / "run-1" / "keys.json").stat().st_mode & 0o777 == 0o600
    keys.tidy({"run-1"})
    assert keys.held() == ("run-2",)
    keys.forget("run-2")
    keys.forget("run-2")
    assert list((tmp_path / "keys").iterdir()) == []


def test_keys_of_a_run_that_is_not_known_stay_until_nobody_accepts_them(tmp_path: Path) -> None:
    keys = RunKeys(tmp_path)
    for name in ("lost", "void"):
        keys.ensure(name)
    over = time.time() - 366 * 86400
    os.utime(tmp_path / "void" / "keys.json", (over, over))
    (tmp_path / "empty").mkdir()
    keys.tidy(set())
    assert keys.held() == ("lost",)


def test_a_host_whose_clock_is_behind_accepts_the_keys(tmp_path: Path) -> None:
    keys = RunKeys(tmp_path).ensure("run-1")
    for text in (keys.authority, keys.certificate):
        certificate = x509.load_pem_x509_certificate(text.encode())
        behind = datetime.now(UTC) - timedelta(hours=23)
        assert certificate.not_valid_before_utc < behind < certificate.not_valid_after_utc


def test_the_keys_of_one_run_open_nothing_of_another(tmp_path: Path) -> None:
    keys = RunKeys(tmp_path)
    own, other = (KeyFiles(keys.ensure(name)) for name in ("run-1", "run-2"))
    assert shake_hands(own, own)
    assert not shake_hands(own, other)
    for files in (own, other):
        files.close()


def shake_hands(server: KeyFiles, client: KeyFiles) -> bool:
    """Whether two ends with these keys come to terms, in memory."""
    pipes = (ssl.MemoryBIO(), ssl.MemoryBIO())
    ends = [
        context(files, side).wrap_bio(*order, server_side=side)
        for files, side, order in ((server, True, pipes), (client, False, pipes[::-1]))
    ]
    for _ in range(4):
        for end in ends:
            try:
                end.do_handshake()
            except ssl.SSLWantReadError:
                continue
            except ssl.SSLError:
                return False
    return all(end.getpeercert(binary_form=True) for end in ends)


def context(files: KeyFiles, server: bool) -> ssl.SSLContext:
    made = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER if server else ssl.PROTOCOL_TLS_CLIENT)
    made.check_hostname = False
    made.verify_mode = ssl.CERT_REQUIRED
    made.load_verify_locations(cafile=files.authority)
    made.load_cert_chain(files.certificate, files.key)
    return made


# Settings.


def test_the_environment_says_how_runs_meet() -> None:
    environ = {
        "AGI_SCHEDULER_PORTS": "30000-30009",
        "AGI_WORKER_PORTS": "30010",
        "AGI_DASHBOARD": "1",
        "AGI_WORKER_LEASE": "2.5",
    }
    spec = spec_of(record(), "10.0.0.2", ClusterSettings.read(environ)).cluster
    assert spec == ClusterSpec("127.0.0.1", "30000-30009", "30010-30010", "24600-24699", 2.5)


def test_the_port_of_the_scheduler_is_the_one_that_the_selection_names() -> None:
    spec = spec_of(record(scheduler="10.0.0.1:8786"), "10.0.0.2", ClusterSettings()).cluster
    assert spec is not None
    assert (spec.scheduler_host, spec.scheduler_ports) == ("10.0.0.1", "8786")
    assert spec.dashboard_ports == ""


def test_a_local_run_meets_nobody() -> None:
    assert spec_of(record(Mode.POOL), "10.0.0.2", ClusterSettings()).cluster is None


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("AGI_SCHEDULER_PORTS", "9-8"),
        ("AGI_WORKER_PORTS", "many"),
        ("AGI_DASHBOARD", "yes"),
        ("AGI_WORKER_LEASE", "0.1"),
        ("AGI_WORKER_LEASE", "nan"),
    ],
)
def test_a_variable_that_cannot_be_used_is_named(name: str, value: str) -> None:
    with pytest.raises(InvalidInputError) as raised:
        ClusterSettings.read({name: value})
    assert raised.value.where == name


def test_the_runner_is_on_the_host_of_the_scheduler() -> None:
    resolution = record(scheduler="10.0.0.1:8786").resolution
    assert resolution.runner_host == "10.0.0.1"
    assert resolution.hosts == ("10.0.0.2", "10.0.0.1")
    assert record(scheduler="localhost").resolution.runner_host == "127.0.0.1"


def test_each_host_is_told_of_its_own_build() -> None:
    one, other = (spec_of(record(), host, ClusterSettings()) for host in ("10.0.0.2", "127.0.0.1"))
    assert (one.build, other.build) == ("/on/10.0.0.2", "/on/127.0.0.1")


# Where runner and workers meet.


class Seen:
    """A way to a host that says from where it was reached."""

    def __init__(self, host: str, told: bytes) -> None:
        self.host = host
        self._told = told

    async def run(self, argv: Sequence[str], **_: object) -> Completed:
        assert list(argv) == ["printenv", "SSH_CONNECTION"]
        return Completed(0, self._told, b"")


def seen(told: bytes) -> Callable[[str], HostTransport]:
    return lambda host: cast("HostTransport", Seen(host, told))


async def test_workers_elsewhere_meet_this_machine_where_they_see_it() -> None:
    meeting = await meeting_host(record(), seen(b"10.0.0.1 50000 10.0.0.2 22\n"))
    assert meeting == "10.0.0.1"
    v6 = await meeting_host(record(), seen(b"fe80::1%eth0 50000 fe80::2%eth0 22\n"))
    assert v6 == "fe80::1"


async def test_an_address_that_was_given_is_taken() -> None:
    assert await meeting_host(record(scheduler="10.0.0.9:80"), seen(b"")) == "10.0.0.9"


async def test_workers_on_this_machine_meet_it_on_its_loopback() -> None:
    here = record()
    alone = evolve(here, resolution=evolve(here.resolution, slots=(SlotSpec(0, "127.0.0.1"),)))
    assert await meeting_host(alone, seen(b"")) == "127.0.0.1"


async def test_a_host_that_does_not_say_where_it_sees_this_machine() -> None:
    with pytest.raises(RefusedError, match=r"settings set APP cluster\.scheduler="):
        await meeting_host(record(), seen(b"\n"))


def test_a_lost_runner_goes_to_this_machine_and_then_to_the_workers() -> None:
    first = record(scheduler="10.0.0.1")
    assert successor(first) == "10.0.0.2"
    with_ours = evolve(first, builds={**first.builds, "127.0.0.1": "/here"})
    order = []
    for _ in range(4):
        chosen = successor(with_ours)
        assert chosen is not None
        order.append(chosen)
        with_ours = evolve(with_ours, moved_to=chosen)
    assert order == ["127.0.0.1", "10.0.0.2", "10.0.0.1", "127.0.0.1"]


def test_a_runner_whose_host_is_the_only_one_stays() -> None:
    here = record(scheduler="10.0.0.2")
    assert successor(here) is None


def test_a_journal_comes_back_from_its_copy(tmp_path: Path) -> None:
    path = tmp_path / "journal"
    journal = Journal.open(path, 3)
    journal.append("runner_started", pid=1, host="h")
    journal.append("partition_started", id="p1", slot=0, executor=0, attempt=1)
    journal.close()
    entries = [each.to_dict() for each in read(path).records]
    facts = [absorb(record(), each, PLACES, None).fact for each in entries]
    noted = Fact(kind="cores_leased")
    events = [
        Event(sequence=place, time=datetime.fromtimestamp(each.at, UTC), kind=each.kind,
              data=each.data)
        for place, each in enumerate([noted, facts[0], noted, facts[1]], start=1)
    ]  # fmt: skip
    again = tmp_path / "again"
    again.write_bytes(restored(events))
    found = read(again)
    assert not found.dropped_bytes
    assert [(r.seq, r.epoch, r.kind, r.data) for r in found.records] == [
        (r.seq, r.epoch, r.kind, r.data) for r in read(path).records
    ]


# The journal.


def test_the_living_runners_scheduler_is_known_and_stored() -> None:
    started = {"seq": 2, "t": 1.0, "epoch": 3, "kind": "scheduler_started", "address": "tls://a:1"}
    known = absorb(record(), started, PLACES, None).record
    assert known.scheduler == SchedulerPlace(address="tls://a:1", epoch=3)
    assert load(dump(known), RunRecord).scheduler == known.scheduler
    again = {"seq": 3, "t": 2.0, "epoch": 4, "kind": "runner_started", "pid": 1, "host": "a"}
    assert absorb(known, again, PLACES, None).record.scheduler is None


def test_a_partition_that_was_moved_waits_in_its_new_slot() -> None:
    moved = {"seq": 2, "t": 1.0, "epoch": 1, "kind": "partition_moved", "id": "p1"}
    places = {"from_slot": 0, "to_slot": 1, "reason": "its connection broke"}
    absorbed = absorb(record(), {**moved, **places}, PLACES, RUNNING)
    waiting = evolve(RUNNING, state=PartitionState.WAITING, slot=1)
    assert absorbed.partition == evolve(waiting, moved_because="its connection broke")
    home = {**moved, "from_slot": 1, "to_slot": 0, "reason": "slot 0 is there"}
    back = absorb(record(), home, PLACES, absorbed.partition).partition
    assert back == evolve(waiting, slot=PLACES["p1"].slot)
    assert absorbed.record.run.progress.running == 0
