"""What the daemon adds to a run in a cluster mode: keys, ports, a scheduler, moved partitions."""

from __future__ import annotations

import ssl
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from attrs import evolve
from cryptography import x509

from agi_cluster.model.run import PartitionState, Run, RunPartition, RunProgress, RunState
from agi_cluster.model.selection import Selection
from agi_daemon.apps.resolution import Resolution
from agi_daemon.runs.absorb import Place, absorb
from agi_daemon.runs.cluster_settings import ClusterSettings
from agi_daemon.runs.record import RunRecord, SchedulerPlace
from agi_daemon.runs.run_directory import spec_of
from agi_daemon.runs.run_keys import RunKeys
from agi_daemon.store.codec import dump, load
from agi_env.errors import InvalidInputError
from agi_env.mode import Mode
from agi_env.runtime.cluster_keys import KeyFiles
from agi_env.runtime.cluster_spec import ClusterSpec
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
    return RunRecord(number=7, run=run, resolution=resolution)


# Keys.


def test_the_keys_of_a_run_are_made_once_private_and_forgotten(tmp_path: Path) -> None:
    keys = RunKeys(tmp_path / "keys")
    first = keys.ensure("run-1")
    assert keys.ensure("run-1") == first
    assert keys.ensure("run-2") != first
    for place in (tmp_path / "keys", tmp_path / "keys" / "run-1"):
        assert place.stat().st_mode & 0o777 == 0o700
    assert (tmp_path / "keys" / "run-1" / "keys.json").stat().st_mode & 0o777 == 0o600
    keys.keep_only({"run-2"})
    assert [each.name for each in (tmp_path / "keys").iterdir()] == ["run-2"]
    keys.forget("run-2")
    keys.forget("run-2")
    assert list((tmp_path / "keys").iterdir()) == []


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
    spec = spec_of(record(), ClusterSettings.read(environ)).cluster
    assert spec == ClusterSpec("127.0.0.1", "30000-30009", "30010-30010", "24600-24699", 2.5)


def test_the_port_of_the_scheduler_is_the_one_that_the_selection_names() -> None:
    spec = spec_of(record(scheduler="10.0.0.1:8786"), ClusterSettings()).cluster
    assert spec is not None
    assert (spec.scheduler_host, spec.scheduler_ports) == ("10.0.0.1", "8786")
    assert spec.dashboard_ports == ""


def test_a_local_run_meets_nobody() -> None:
    assert spec_of(record(Mode.POOL), ClusterSettings()).cluster is None


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
