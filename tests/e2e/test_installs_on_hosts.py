"""Installs on hosts over SSH: side by side, each for itself, whatever happens to the others."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from agi_cluster.client.sync import Client
from agi_cluster.model.event import Event
from agi_cluster.model.installation import HostInstallation, Installation, InstallationState
from agi_cluster.model.release import HostPruning, PrunedKind, PruneReleases
from agi_cluster.model.requests import CreateInstallation, StartRun
from agi_cluster.model.run import Run, RunState
from agi_cluster.model.selection import Selection
from agi_cluster.testing import RunningDaemon, running_daemon
from agi_env.errors import NotFoundError, ReleaseNotFoundError
from agi_env.mode import Mode
from hosts import Cluster, Host, cluster
from hosts.faults.connection import cut_when
from hosts.faults.login import hanging_shell
from hosts.faults.storage import disk_full
from hosts.faults.tools import no_python, no_uv

DEADLINE_S = 120.0
IDLE_S = 3.0
ROOTS = "/root/.local/state/agi-host"
WORKER = """\
import time
from pathlib import Path
from agi_env import BaseWorker

EDITION = 0


class {manager}Worker(BaseWorker):
    def work(self, partition, out):
        gate = self.args.get("gate")
        while gate and not Path(gate).exists():
            time.sleep(0.02)
        return EDITION

    def reduce(self, results):
        return sorted({result.value for result in results})
"""
HUNG_UV = """\
#!/bin/sh
case "$1" in pip) sleep 86399 & wait;; esac
exec {uv} "$@"
"""


@pytest.fixture(scope="module")
def daemon(shared_hosts: Cluster) -> Iterator[RunningDaemon]:
    """A daemon that knows four hosts, and soon sees that a build goes no further."""
    env = {"AGI_CLUSTER_SHARE": str(shared_hosts.share), "AGI_INSTALL_IDLE": str(IDLE_S)}
    with running_daemon(env=env) as daemon:
        with daemon.client() as client:
            enrol(client, shared_hosts)
        yield daemon


def enrol(client: Client, hosts: Cluster) -> None:
    for host in hosts:
        client.create_host(
            host.address,
            user=host.user,
            identity_file=str(host.identity),
            trust_fingerprint=host.host_key,
        )


def selection(*hosts: Host) -> Selection:
    return Selection(workers={host.address: 1 for host in hosts}, cores_per_slot=1)


class Installing:
    """Has an app that is another release each time it is edited installed on hosts."""

    def __init__(self, client: Client, app: Path) -> None:
        self.client = client
        self.app = app
        self.edition = int(time.time())

    def edit(self) -> None:
        """Change a line of the app."""
        self.edition += 1
        worker = self.app / "src" / "toy_worker" / "toy_worker.py"
        text = re.sub(r"EDITION = \d+", f"EDITION = {self.edition}", worker.read_text())
        worker.write_text(text)

    def begin(self, *hosts: Host, release: str = "") -> Installation:
        """Ask for it."""
        request = CreateInstallation(
            app=str(self.app),
            modes_enabled=Mode.CLUSTER,
            selection=selection(*hosts),
            release=release,
        )
        return self.client.create_installation(request)

    def end(self, installation: Installation) -> Installation:
        """Wait until it is settled."""
        *_, (last, _) = self.client.watch_installation(installation.id)
        assert isinstance(last, Installation) and last.state.settled
        return last

    def on(self, *hosts: Host, release: str = "") -> Installation:
        """Ask for it and wait."""
        return self.end(self.begin(*hosts, release=release))

    def start(self, *hosts: Host, **asked: Any) -> Run:
        """Start a run on hosts."""
        request = StartRun(
            app=str(self.app), mode=Mode.CLUSTER, selection=selection(*hosts), **asked
        )
        return self.client.start_run(request)

    def settled(self, run: Run) -> Run:
        """The run as it ended well."""
        *_, (last, _) = self.client.watch_run(run.id)
        assert isinstance(last, Run) and last.state is RunState.SUCCEEDED, last
        return last

    def kinds(self, installation: Installation) -> list[tuple[str, str]]:
        """What happened, and where."""
        told = [update for update, _ in self.client.watch_installation(installation.id)]
        return [(e.kind, str(e.data.get("host", ""))) for e in told if isinstance(e, Event)]


@pytest.fixture(scope="module")
def app(make_app: Callable[..., Path]) -> Path:
    return make_app("toy", worker=WORKER)


@pytest.fixture
def installing(client: Client, app: Path, hosts: Cluster) -> Installing:
    installing = Installing(client, app)
    installing.edit()
    return installing


def by_host(installation: Installation) -> dict[str, HostInstallation]:
    return {each.host: each for each in installation.hosts}


def test_hosts_without_an_index_install_and_are_shipped_what_they_lack_once(
    installing: Installing, hosts: Cluster
) -> None:
    offline = hosts[0].run("python3", "-c", REACHES_AN_INDEX, check=False)
    assert "unreachable" in offline.stdout
    done = installing.on(*hosts)
    assert done.state is InstallationState.SUCCEEDED, done.error
    assert len({each.build for each in by_host(done).values() if each.host != "127.0.0.1"}) == 1
    installing.edit()
    edited = installing.on(*hosts)
    for each in edited.hosts:
        assert [name for name in each.shipped_wheels if not name.startswith("toy_app")] == []
    again = installing.on(*hosts)
    assert again.unchanged and again.release == edited.release
    kinds = [kind for kind, _ in installing.kinds(done)]
    assert kinds.count("collecting") <= 2, "once for each side of the app, however many hosts"


REACHES_AN_INDEX = """
import socket
try:
    socket.create_connection(("151.101.0.223", 443), 2)
except OSError:
    print("unreachable")
"""


@pytest.mark.parametrize(
    ("fault", "code"),
    [
        (hanging_shell, "LOGIN_SHELL_HANGS"),
        (no_uv, "UV_MISSING"),
        (no_python, "PYTHON_MISSING"),
        (disk_full(ROOTS, "1g"), "DISK_FULL"),
        (None, "HOST_UNREACHABLE"),
    ],
    ids=["hanging_shell", "no_uv", "no_python", "disk_full", "off"],
)
def test_a_bad_host_is_named_and_the_others_are_installed(
    installing: Installing, hosts: Cluster, fault: Callable[..., Iterator[None]], code: str
) -> None:
    bad, *good = hosts.hosts[:2]
    for host in (bad, *good):
        installing.client.check_host(host.address)
    if fault is None:
        bad.power_off()
    else:
        bad.fault(fault)
        bad.sshd.cut()
    done = installing.on(bad, *good)
    assert done.state is InstallationState.FAILED
    assert done.error is not None and done.error.code == code
    outcome = by_host(done)
    assert outcome[bad.address].state is InstallationState.FAILED
    assert bad.address in str(outcome[bad.address].error)
    for host in good:
        assert outcome[host.address].state is InstallationState.SUCCEEDED
    bad.heal()
    mended = installing.on(bad, *good)
    assert mended.state is InstallationState.SUCCEEDED, mended.error
    assert {each.host for each in mended.hosts if not each.unchanged} == {bad.address}


@pytest.mark.timeout(300)  # a build with thousands of files on each
def test_seven_of_eight_hosts_are_installed_where_one_hangs(app: Path) -> None:
    with cluster(8) as eight, running_daemon() as daemon, daemon.client() as client:
        enrol(client, eight)
        bad, *good = eight
        bad.fault(hanging_shell)
        bad.sshd.cut()
        outcome = by_host(Installing(client, app).on(*eight))
    for host in good:
        assert outcome[host.address].state is InstallationState.SUCCEEDED
    error = outcome[bad.address].error
    assert error is not None and error.code == "LOGIN_SHELL_HANGS"


def test_a_build_that_hangs_is_ended_with_all_its_processes(
    installing: Installing, hosts: Cluster
) -> None:
    bad, good = hosts[0], hosts[1]
    uv = bad.disk / "usr/local/bin/uv"
    target = uv.readlink()
    uv.unlink()
    uv.write_text(HUNG_UV.format(uv=target))
    uv.chmod(0o755)
    try:
        done = installing.on(bad, good)
        outcome = by_host(done)
        assert outcome[good.address].state is InstallationState.SUCCEEDED
        error = outcome[bad.address].error
        assert error is not None and error.code == "BUILD_FAILED"
        assert "uv pip install made no progress" in str(error)
        assert "86399" not in bad.run("ps", "-eo", "args").stdout
    finally:
        uv.unlink()
        uv.symlink_to(target)
    assert installing.on(bad, good).state is InstallationState.SUCCEEDED


@pytest.mark.parametrize(
    "fault",
    [
        cut_when(f"{ROOTS}/*/tmp/*/lib/*/site-packages/agi_env"),
        cut_when(f"{ROOTS}/*/tmp/*/pyvenv.cfg"),
    ],
    ids=["between_start_and_answer", "in_the_middle"],
)
def test_a_connection_that_is_cut_is_made_again(
    installing: Installing, hosts: Cluster, fault: Callable[..., Iterator[None]]
) -> None:
    host = hosts[0]
    host.fault(fault)
    host.sshd.cut()
    done = installing.on(host)
    assert done.state is InstallationState.SUCCEEDED, done.error
    assert ("repeated", host.address) in installing.kinds(done)


def test_a_daemon_killed_in_mid_install_takes_it_up_again(
    daemon: RunningDaemon, installing: Installing, hosts: Cluster
) -> None:
    two = hosts.hosts[:2]
    begun = installing.begin(*two)
    for update, _ in installing.client.watch_installation(begun.id):
        if isinstance(update, Event) and update.kind == "realising":
            break
    daemon.kill()
    daemon.start()
    done = installing.end(begun)
    assert done.state is InstallationState.SUCCEEDED, done.error
    assert installing.on(*two).unchanged
    for host in two:
        deadline = time.monotonic() + DEADLINE_S
        while left := host.run("sh", "-c", f"ls -A {ROOTS}/*/tmp | grep -v lock || true").stdout:
            assert time.monotonic() < deadline, left
            time.sleep(0.1)


def test_an_earlier_release_is_chosen_again(installing: Installing, hosts: Cluster) -> None:
    client, two = installing.client, hosts.hosts[:2]
    first, old = installing.on(*two), installing.edition
    installing.edit()
    second = installing.on(*two)
    current, earlier, *_ = client.list_releases("toy_project").items
    assert (current.digest, current.current) == (second.release, True)
    assert (earlier.digest, earlier.current) == (first.release, False)
    assert current.changed_inputs == ("app: src/toy_worker/toy_worker.py (edited)",)
    back = installing.start(*two, release=first.release[:12])
    assert installing.settled(back).result == [old]
    assert installing.settled(installing.start(*two)).result == [installing.edition]
    again = installing.on(*two, release=first.release)
    assert again.unchanged and again.release == first.release
    with pytest.raises(ReleaseNotFoundError):
        installing.start(*two, release="0123456789")


OLD = f"find {ROOTS}/*/wheels {ROOTS}/*/tmp -exec touch -h -d '40 days ago' {{}} +"
ALL_BUT_THE_NEWEST = {"keep": 1, "unused_days": 0.0}


def test_what_nothing_needs_is_removed_and_never_what_a_run_uses(
    installing: Installing, hosts: Cluster, tmp_path: Path
) -> None:
    client, host, gate = installing.client, hosts[0], hosts.share / "gate-prune"
    first = installing.on(host)
    build = by_host(first)[host.address].build
    run = installing.start(host, args={"gate": str(gate)})
    while not client.get_run(run.id).progress.running:
        time.sleep(0.05)
    installing.edit()
    second = installing.on(host)
    host.run("sh", "-c", OLD)
    request = PruneReleases(hosts=(host.address,), **ALL_BUT_THE_NEWEST)
    ours = client.prune_releases(request).hosts[0]
    assert "needed by a run" in kept_builds(ours)[build]
    # Another manager knows nothing of the run: only the lock tells it.
    with running_daemon() as other, other.client() as stranger:
        enrol(stranger, hosts)
        theirs = stranger.prune_releases(request).hosts[0]
    assert "in use" in kept_builds(theirs)[build]
    gate.touch()
    installing.settled(run)

    host.run("sh", "-c", OLD)
    shown = client.prune_releases(request, validate_only=True).hosts[0]
    assert build in {item.item for item in shown.removed}
    assert f"{build}\n" in host.run("sh", "-c", f"ls {ROOTS}/*/builds").stdout
    done = client.prune_releases(request).hosts[0]
    assert [i.item for i in done.removed] == [i.item for i in shown.removed]
    kinds = {item.kind for item in done.removed}
    assert {PrunedKind.BUILD, PrunedKind.WHEEL, PrunedKind.RUN, PrunedKind.CACHE} <= kinds
    left = host.run("sh", "-c", f"ls {ROOTS}/*/builds {ROOTS}/*/runs").stdout
    assert build not in left and run.id not in left
    assert by_host(second)[host.address].build in left
    assert not client.prune_releases(request).hosts[0].removed

    with pytest.raises(NotFoundError, match=run.id):
        list(client.read_run_log(run.id))
    back = installing.on(host, release=first.release)
    assert back.state is InstallationState.SUCCEEDED, back.error
    here = PruneReleases(hosts=("127.0.0.1",), **ALL_BUT_THE_NEWEST)
    assert PrunedKind.RELEASE in {i.kind for i in client.prune_releases(here).hosts[0].removed}
    assert [r.digest for r in client.list_releases("toy_project").items] == [first.release]
    with pytest.raises(ReleaseNotFoundError):
        installing.on(host, release=second.release)


def kept_builds(pruning: HostPruning) -> dict[str, str]:
    assert pruning.error is None
    return {item.item: item.detail for item in pruning.kept}


def test_a_host_that_is_off_keeps_none_from_being_pruned(
    installing: Installing, hosts: Cluster
) -> None:
    hosts[0].power_off()
    done = installing.client.prune_releases(PruneReleases(), validate_only=True)
    errors = {each.host: each.error for each in done.hosts}
    assert errors.pop(hosts[0].address) is not None
    assert set(errors.values()) == {None} and len(errors) == 4
