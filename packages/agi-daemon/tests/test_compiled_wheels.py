"""Wheels with bytecode: made once, for hosts of the manager's own Python alone."""

from __future__ import annotations

import io
import sys
import zipfile
from pathlib import Path

import pytest

from agi_daemon.install.compiled_wheels import CompiledWheels
from agi_daemon.install.host_platform import HostPlatform
from agi_daemon.install.wheel_store import Wheel, WheelStore
from agi_daemon.install.wheelhouse import own_platform

FILES = {
    "toy/__init__.py": "VALUE = 42\n",
    "toy/broken.py": "no python at all\n",
    "toy/tests/test_toy.py": "assert False\n",
    "toy-1.0.dist-info/METADATA": "Metadata-Version: 2.1\nName: toy\nVersion: 1.0\n",
    "toy-1.0.dist-info/WHEEL": "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    "toy-1.0.dist-info/RECORD": "toy/__init__.py,,\n",
}
PYC = f"toy/__pycache__/__init__.{sys.implementation.cache_tag}.pyc"


@pytest.fixture
def store(tmp_path: Path) -> WheelStore:
    return WheelStore(tmp_path / "wheels")


@pytest.fixture
def wheel(store: WheelStore) -> Wheel:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, text in FILES.items():
            archive.writestr(name, text)
    return store.put("toy-1.0-py3-none-any.whl", buffer.getvalue())


async def test_what_compiles_has_its_bytecode_and_the_record_says_so(
    store: WheelStore, wheel: Wheel
) -> None:
    compiled = CompiledWheels(store)
    assert compiled.recall([wheel], own_platform()) is None
    (made,) = await compiled.ensure([wheel], own_platform())
    assert made.filename == wheel.filename
    with zipfile.ZipFile(store.path(made)) as archive:
        assert set(archive.namelist()) == {*FILES, PYC}
        assert f"{PYC},sha256=" in archive.read("toy-1.0.dist-info/RECORD").decode()
        unchecked = archive.read(PYC)[4:8]
    assert unchecked == b"\x01\0\0\0"


async def test_it_is_done_once_and_again_to_the_same_bytes(
    store: WheelStore, wheel: Wheel, tmp_path: Path
) -> None:
    (made,) = await CompiledWheels(store).ensure([wheel], own_platform())
    assert CompiledWheels(store).recall([wheel], own_platform()) == (made,)
    other = WheelStore(tmp_path / "other")
    copy = other.put(wheel.filename, store.path(wheel).read_bytes())
    assert await CompiledWheels(other).ensure([copy], own_platform()) == (made,)


async def test_a_host_of_another_python_gets_the_wheel_as_it_is(
    store: WheelStore, wheel: Wheel
) -> None:
    other = HostPlatform("cp399-linux_x86_64-glibc2.36", "3.99.0", own_platform().markers)
    assert CompiledWheels(store).recall([wheel], other) == (wheel,)
    assert await CompiledWheels(store).ensure([wheel], other) == (wheel,)
