"""What each of the sixteen modes comes to on hosts of every kind, and which GPU a slot has."""

from __future__ import annotations

from pathlib import PurePosixPath

import pytest

from agi_cluster.model.modes import VerdictState
from agi_daemon.apps.devices import bound
from agi_daemon.install.host_abilities import Device, Devices, HostAbilities, HostFacts
from agi_daemon.install.host_platform import HostPlatform
from agi_daemon.install.on_host import devices as on_host
from agi_daemon.modes.negotiation import Situation, verdict
from agi_env.errors import HostCommandTimeoutError
from agi_env.mode import Mode
from agi_env.runtime.spec import SlotSpec

GLIBC, MUSL = "cp311-linux_x86_64-glibc2.36", "cp311-linux_x86_64-musl1.2"
NO_COMPILER = "there is no C compiler on this host"
APT = "sudo apt-get install -y gcc"
ALL = [Mode(number) for number in range(16)]
HERE, THERE = "127.0.0.1", "10.0.0.2"


def gpus(count: int) -> Devices:
    found = tuple(Device(str(n), f"GPU-{n}", "NVIDIA Toy", 1 << 30) for n in range(count))
    return Devices("580.1", "13" if count else "", found, "" if count else "no NVIDIA driver")


def host(
    name: str = HERE, *, tag: str = GLIBC, compiles: bool = True, devices: int = 0
) -> HostAbilities:
    facts = HostFacts(HostPlatform(tag, "3.11.7", {}), 2, 1 << 30, "0.9", PurePosixPath("/h"))
    reason, remedy = ("", "") if compiles else (NO_COMPILER, APT)
    return HostAbilities(name, facts, reason, remedy, gpus(devices))


def situation(
    enabled: int = 15, share: str = "", manager: HostAbilities | None = None
) -> Situation:
    return Situation(
        app="toy_project", enabled=Mode(enabled), share_reason=share, manager=manager or host()
    )


@pytest.mark.parametrize("mode", ALL, ids=int)
def test_a_host_that_can_do_all_runs_every_mode(mode: Mode) -> None:
    able = host(devices=1)
    assert verdict(mode, HERE, able, situation()).state is VerdictState.RUNNABLE
    staged = verdict(mode, HERE, able, situation(enabled=1))
    wanted = mode & ~Mode.POOL
    assert (staged.state is VerdictState.NOT_ENABLED) == bool(wanted)
    assert not wanted or staged.command == f"agi install toy_project --modes {int(mode) | 1}"


@pytest.mark.parametrize("mode", ALL, ids=int)
def test_a_host_that_can_do_nothing_refuses_each_bit_by_its_reason(mode: Mode) -> None:
    poor = host(compiles=False)
    told = verdict(mode, HERE, poor, situation(share="no share", manager=poor))
    reasons = {Mode.CLUSTER: "no share", Mode.CYTHON: NO_COMPILER, Mode.RAPIDS: "no NVIDIA driver"}
    first = next((reason for bit, reason in reasons.items() if bit in mode), "")
    assert told.reason == first
    assert (told.state is VerdictState.REFUSED) == bool(first)
    assert told.command == APT if first == NO_COMPILER else True


def test_the_manager_compiles_for_hosts_of_its_platform_alone() -> None:
    mode = Mode.CYTHON | Mode.CLUSTER
    alike, other = host(THERE, compiles=False), host(THERE, compiles=False, tag=MUSL)
    assert verdict(mode, THERE, alike, situation()).state is VerdictState.RUNNABLE
    assert verdict(mode, THERE, other, situation()).reason == NO_COMPILER


def test_what_a_host_refuses_for_reasons_of_its_own() -> None:
    rapids = Mode.RAPIDS | Mode.CLUSTER
    assert "CuPy" in verdict(rapids, THERE, host(tag=MUSL, devices=1), situation()).reason
    away = verdict(Mode.POOL, THERE, host(THERE), situation())
    assert "the manager only" in away.reason and away.command == "agi run toy_project --mode 5"
    silent = HostCommandTimeoutError("it does not answer", where=THERE)
    assert "does not answer" in verdict(Mode.PLAIN, THERE, silent, situation()).reason


@pytest.mark.parametrize(
    ("slots", "count", "expected"),
    [
        (1, 1, [("0",)]),
        (2, 2, [("0",), ("1",)]),
        (3, 2, [("0",), ("1",), ("0",)]),
        (2, 4, [("0", "2"), ("1", "3")]),
    ],
)
def test_gpus_are_dealt_out_among_the_slots_of_their_host(
    slots: int, count: int, expected: list[tuple[str, ...]]
) -> None:
    made = bound(tuple(SlotSpec(n, HERE) for n in range(slots)), {HERE: gpus(count)})
    assert [slot.devices for slot in made] == expected


def test_the_executors_of_a_slot_take_its_gpus_in_turns() -> None:
    slot = SlotSpec(0, HERE, executors=3, devices=("0", "2"))
    assert [slot.device_of(executor) for executor in range(3)] == ["0", "2", "0"]
    assert SlotSpec(0, HERE).device_of(0) == ""


@pytest.mark.parametrize(
    ("line", "cuda"),
    [
        ("NVRM version: NVIDIA UNIX x86_64 Kernel Module  550.54.15  Tue Mar 5", "12"),
        ("NVRM version: NVIDIA UNIX Open Kernel Module for x86_64  580.65.06  Release", "13"),
        ("NVRM version: NVIDIA UNIX x86_64 Kernel Module  470.82.01  Wed Oct 27", ""),
    ],
)
def test_the_driver_says_which_cuda_it_takes(tmp_path, line: str, cuda: str) -> None:
    version = tmp_path / "version"
    version.write_text(line + "\nGCC version: 12\n")
    assert on_host.cuda_version(str(version)) == cuda
    assert on_host.cuda_version(str(tmp_path / "none")) == ""


def test_devices_are_read_from_what_the_driver_lists() -> None:
    listed = "0, GPU-aa, NVIDIA H100 80GB HBM3, 81559\n1, GPU-bb, NVIDIA T4, [N/A]\nrubbish\n"
    first, second = on_host.parsed(listed)
    assert first["name"] == "NVIDIA H100 80GB HBM3" and first["memory_bytes"] == 81559 << 20
    assert (second["uuid"], second["memory_bytes"]) == ("GPU-bb", 0)


def test_a_cupy_is_taken_by_the_cuda_that_it_is_for() -> None:
    platform = HostPlatform(GLIBC, "3.11.7", {}, "12")
    assert platform.takes("cupy-cuda12x") and platform.takes("numpy")
    assert not platform.takes("cupy-cuda13x")
    assert platform.key.endswith("-cuda12") and not HostPlatform(GLIBC, "3.11.7", {}).cuda
