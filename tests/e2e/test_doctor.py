"""The doctor on real hosts: each fault is its own finding, on its host alone, within 10 s."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from agi_cluster.client.sync import Client
from agi_cluster.model.app import SettingChange
from agi_cluster.model.diagnosis import Diagnose, Diagnosis, Family, Rung, StepState
from agi_cluster.testing import RunningDaemon, running_daemon
from hosts import Cluster, Host
from hosts.faults import login, network, storage, tools

LIMIT_S = 10.0
ROOT = "/root/.local/state"

FAULTS: list[tuple[str, Any, str, Family]] = [
    ("sshd stopped", login.sshd_stopped(), "HOST_UNREACHABLE", Family.INSTALL_HANGS),
    ("link down", network.link_down, "HOST_UNREACHABLE", Family.INSTALL_HANGS),
    ("packets dropped", network.packets_dropped(), "HOST_UNREACHABLE", Family.INSTALL_HANGS),
    ("other key", login.host_key_changed, "HOST_KEY_CHANGED", Family.INSTALL_HANGS),
    ("noisy shell", login.noisy_shell, "SHELL_NOISY", Family.INSTALL_HANGS),
    ("hanging shell", login.hanging_shell, "LOGIN_SHELL_HANGS", Family.INSTALL_HANGS),
    ("no uv", tools.no_uv, "UV_MISSING", Family.INSTALL_HANGS),
    ("no Python", tools.no_python, "PYTHON_MISSING", Family.INSTALL_HANGS),
    ("disk full", storage.disk_full(ROOT), "DISK_FULL", Family.INSTALL_HANGS),
    ("fast clock", tools.clock_wrong(7200), "CLOCK_SKEW", Family.WORKERS_MISSING),
    ("logout kills", login.sessions_end_with_logout, "DETACHED_KILLED", Family.WORKERS_MISSING),
    ("share read-only", storage.share_read_only, "SHARE_READ_ONLY", Family.OUTPUTS_ASTRAY),
    ("another share", storage.share_is_another, "SHARE_DIFFERENT", Family.OUTPUTS_ASTRAY),
    ("no share", storage.share_not_mounted, "SHARE_LOCAL", Family.OUTPUTS_ASTRAY),
    ("stale share", storage.share_stale, "SHARE_STALE", Family.OUTPUTS_ASTRAY),
]


@dataclass(frozen=True)
class Clinic:
    """Hosts that are enrolled at a daemon, and a client of it."""

    hosts: Cluster
    client: Client
    daemon: RunningDaemon

    def diagnose(self, **asked: Any) -> Diagnosis:
        """The last thing that the doctor says."""
        began = time.monotonic()
        *steps, last = self.client.diagnose(Diagnose(**asked))
        assert time.monotonic() - began < LIMIT_S
        assert isinstance(last, Diagnosis)
        assert sorted(steps, key=repr) == sorted(last.steps, key=repr)
        return last

    def codes(self, **asked: Any) -> dict[str, list[str]]:
        """What the doctor finds, by host."""
        found: dict[str, list[str]] = {}
        for finding in self.diagnose(**asked).findings:
            found.setdefault(finding.host, []).append(finding.code)
        return found


@pytest.fixture(scope="module")
def clinic(shared_hosts: Cluster) -> Iterator[Clinic]:
    """Two hosts of the session's cluster, enrolled at a daemon of this file."""
    env = {"AGI_CLUSTER_SHARE": str(shared_hosts.share)}
    with running_daemon(env=env) as daemon, daemon.client() as client:
        for host in shared_hosts.hosts[:2]:
            client.create_host(
                host.address,
                user=host.user,
                identity_file=str(host.identity),
                trust_fingerprint=host.host_key,
            )
        yield Clinic(shared_hosts, client, daemon)


@pytest.fixture
def patient(clinic: Clinic, hosts: Cluster) -> Host:
    """The host that is going to be broken, and is made whole after."""
    return hosts[0]


def test_nothing_is_wrong_with_healthy_hosts(clinic: Clinic) -> None:
    found = clinic.diagnose()
    assert found.healthy and found.findings == ()
    assert found.hosts == ("127.0.0.1", *(host.address for host in clinic.hosts.hosts[:2]))
    assert not any(clinic.hosts.share.iterdir())
    climbed = [step.rung for step in found.steps if step.host == clinic.hosts[0].address]
    assert climbed == [
        *(Rung.RESOLVE, Rung.REACH, Rung.HOST_KEY, Rung.LOGIN, Rung.SHELL, Rung.PYTHON),
        *(Rung.UV, Rung.DISK, Rung.CLOCK, Rung.DETACH, Rung.SHARE),
    ]


@pytest.mark.parametrize(
    ("fault", "code", "family"), [case[1:] for case in FAULTS], ids=[case[0] for case in FAULTS]
)
def test_each_fault_is_one_finding_on_its_host_alone(
    clinic: Clinic, patient: Host, fault: Any, code: str, family: Family
) -> None:
    patient.fault(fault)
    found = clinic.diagnose()
    (finding,) = found.findings
    assert (finding.host, finding.code, finding.family) == (patient.address, code, family)
    assert finding.what and finding.remedy
    others = [step for step in found.steps if step.host != patient.address]
    assert {step.state for step in others} <= {StepState.PASSED, StepState.SKIPPED}


def test_a_python_that_the_app_does_not_take(clinic: Clinic, app: Path) -> None:
    declared = app / "pyproject.toml"
    before = declared.read_text()
    declared.write_text(before.replace(">=3.11", ">=3.99"))
    try:
        found = clinic.diagnose(app=str(app), hosts=(clinic.hosts[0].address,)).findings
    finally:
        declared.write_text(before)
    wrong = [each for each in found if each.code == "PYTHON_MISMATCH"]
    assert {each.host for each in wrong} == {"127.0.0.1", clinic.hosts[0].address}
    assert all("does not satisfy >=3.99" in each.what for each in wrong)


def test_what_stands_on_a_failed_rung_is_not_looked_at(clinic: Clinic, patient: Host) -> None:
    patient.power_off()
    steps = clinic.diagnose(hosts=(patient.address,)).steps
    states = {step.rung: step.state for step in steps if step.host == patient.address}
    assert states.pop(Rung.RESOLVE) is StepState.PASSED
    assert states.pop(Rung.REACH) is StepState.FAILED
    assert set(states.values()) == {StepState.SKIPPED}


def test_a_host_that_is_not_enrolled_is_a_finding(clinic: Clinic) -> None:
    assert clinic.codes(hosts=("10.9.8.7",)) == {"10.9.8.7": ["HOST_NOT_FOUND"]}


@pytest.fixture(scope="module")
def app(clinic: Clinic, make_app: Any) -> Path:
    """An app whose settings name both hosts and this machine's address among them."""
    root: Path = make_app("clustered")
    first, second = (host.address for host in clinic.hosts.hosts[:2])
    clinic.client.register_app(str(root))
    changes = [
        SettingChange(key="cluster.cluster_enabled", value="true"),
        SettingChange(key="cluster.scheduler", value=json.dumps(first)),
        SettingChange(key="cluster.workers", value=f'{{"{first}" = 1, "{second}" = 1}}'),
    ]
    clinic.client.update_settings("clustered", changes)
    return root


def test_workers_reach_the_scheduler(clinic: Clinic, app: Path) -> None:
    steps = clinic.diagnose(app=str(app)).steps
    seen = {step.host: step for step in steps if step.rung is Rung.SCHEDULER}
    for host in clinic.hosts.hosts[:2]:
        assert seen[host.address].state is StepState.PASSED
        assert seen[host.address].evidence.startswith(f"{clinic.hosts[0].address}:24")


def test_a_worker_that_does_not_reach_the_scheduler(
    clinic: Clinic, app: Path, hosts: Cluster
) -> None:
    hosts[1].fault(network.unreachable([hosts[0].address]))
    found = clinic.diagnose(app=str(app)).findings
    (finding,) = [each for each in found if each.code == "SCHEDULER_UNREACHABLE"]
    assert finding.host == hosts[1].address
    assert finding.family is Family.WORKERS_MISSING
    assert "no answer" in finding.what and "24700-24799" in finding.remedy


def test_the_managers_loopback_is_no_address_for_workers(clinic: Clinic, app: Path) -> None:
    local = SettingChange(key="cluster.scheduler", value='"127.0.0.1"')
    remote = SettingChange(key="cluster.scheduler", value=json.dumps(clinic.hosts[0].address))
    clinic.client.update_settings("clustered", [local])
    try:
        found = clinic.diagnose(app=str(app)).findings
    finally:
        clinic.client.update_settings("clustered", [remote])
    wrong = [each for each in found if each.code == "SCHEDULER_UNREACHABLE"]
    assert {each.host for each in wrong} == {host.address for host in clinic.hosts.hosts[:2]}
    assert all("every machine's own" in each.what for each in wrong)
