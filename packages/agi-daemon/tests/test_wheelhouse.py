"""Collecting wheels, from the real index, for this platform and for others."""

from __future__ import annotations

from pathlib import Path

import pytest

from agi_daemon.install.host_platform import HostPlatform
from agi_daemon.install.lock import Lock
from agi_daemon.install.wheel_store import WheelStore
from agi_daemon.install.wheelhouse import Wheelhouse, own_platform
from agi_env.errors import WheelsFailedError

SIX = (
    "six==1.17.0 --hash=sha256:4721f391ed90541fddacab5acf947aa0d3dc7d27b2e1e8eda2be8970586c3274"
    " --hash=sha256:ff70335d468e7eb6ec65b95b99d3a2836546063f63acc5171de367e834932a81"
)
COLORAMA = "colorama==0.4.6 --hash=sha256:" + "0" * 64
ELSEWHERE = "colorama==0.4.6 ; sys_platform == 'win32' --hash=sha256:" + "0" * 64


def foreign() -> HostPlatform:
    markers = {**own_platform().markers, "python_version": "3.13", "python_full_version": "3.13.1"}
    return HostPlatform("cp313-linux_aarch64-glibc2.36", "3.13.1", markers)


@pytest.fixture
def house(tmp_path: Path) -> Wheelhouse:
    return Wheelhouse(WheelStore(tmp_path / "wheels"))


def cut_off(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PIP_CONFIG_FILE", "/dev/null")
    monkeypatch.delenv("PIP_FIND_LINKS", raising=False)
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_CACHE_DIR", str(tmp_path / "no-cache"))


async def test_what_applies_here_is_collected_once(
    house: Wheelhouse, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lock = Lock.parse(f"{SIX}\n{ELSEWHERE}\n")
    assert house.recall(lock, own_platform()) is None
    wheels = await house.collect(lock, own_platform())
    assert [wheel.filename for wheel in wheels] == ["six-1.17.0-py2.py3-none-any.whl"]
    cut_off(monkeypatch, tmp_path)
    again = Wheelhouse(WheelStore(tmp_path / "wheels"))
    assert await again.collect(lock, own_platform()) == wheels


async def test_wheels_of_another_platform_are_downloaded(house: Wheelhouse) -> None:
    wheels = await house.collect(Lock.parse(SIX), foreign())
    assert [wheel.filename for wheel in wheels] == ["six-1.17.0-py2.py3-none-any.whl"]


async def test_no_index_is_said_to_be_the_matter(
    house: Wheelhouse, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cut_off(monkeypatch, tmp_path)
    with pytest.raises(WheelsFailedError, match=r"six.*index can be reached"):
        await house.collect(Lock.parse(SIX), own_platform())


async def test_other_bytes_than_those_locked_are_refused(house: Wheelhouse) -> None:
    lock = Lock.parse(f"six==1.17.0 --hash=sha256:{'0' * 64}")
    with pytest.raises(WheelsFailedError, match=r"(?i)hash"):
        await house.collect(lock, own_platform())


async def test_the_password_of_a_url_is_neither_told_nor_repeated(
    house: Wheelhouse, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PIP_RETRIES", "0")
    url = "http://ann:TOKEN@127.0.0.1:9/six-1.17.0-py2.py3-none-any.whl"
    lock = Lock.parse(f"six @ {url} --hash=sha256:{'0' * 64}\n{COLORAMA}")
    told: list[str] = []
    with pytest.raises(WheelsFailedError) as caught:
        await house.collect(lock, own_platform(), on_fetch=told.extend)
    assert told == ["six", "colorama==0.4.6"]
    assert "TOKEN" not in str(caught.value.to_metadata())


def test_platforms_are_remembered(house: Wheelhouse) -> None:
    assert house.platforms() == ()
    house.meet(foreign())
    house.meet(foreign())
    assert house.platforms() == (foreign(),)
    assert house.platforms()[0].markers == foreign().markers


def test_pip_is_told_every_tag_that_fits() -> None:
    arguments = foreign().pip_arguments()
    assert "--python-version=3.13" in arguments and "--abi=cp313" in arguments
    assert "--platform=manylinux_2_36_aarch64" in arguments
    assert "--platform=manylinux2014_aarch64" in arguments
    assert "--platform=manylinux_2_37_aarch64" not in arguments
    musl = HostPlatform("cp312-linux_x86_64-musl1.2", "3.12.0", {}).pip_arguments()
    assert [a for a in musl if "platform" in a] == [
        "--platform=musllinux_1_2_x86_64",
        "--platform=musllinux_1_1_x86_64",
        "--platform=musllinux_1_0_x86_64",
        "--platform=linux_x86_64",
    ]
