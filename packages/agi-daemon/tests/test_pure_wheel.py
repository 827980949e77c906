"""Wheels made from sources: reproducible, complete, and accepted by the real installers."""

from __future__ import annotations

import os
import subprocess
import sys
import zipfile
from io import BytesIO
from pathlib import Path

import pytest

from agi_daemon.install.pure_wheel import PureWheel, app_wheel, runtime_wheel
from agi_daemon.install.sources import SourceDigests
from agi_daemon.install.wheel_store import WheelStore


@pytest.fixture
def src(tmp_path: Path) -> Path:
    files = {
        "flights/flights.py": "class Flights: ...\n",
        "flights/data/airports, old.csv": "JFK\n",
        "flights/tool.sh": "#!/bin/sh\n",
        "flights_worker/flights_worker.py": "import flights.flights\n",
    }
    for name, text in files.items():
        path = tmp_path / "src" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    (tmp_path / "src/flights/tool.sh").chmod(0o755)
    return tmp_path / "src"


def wheel_of(src: Path) -> PureWheel:
    return app_wheel("flights", SourceDigests().packages(src))


def test_equal_sources_give_equal_bytes(src: Path) -> None:
    first = wheel_of(src).to_bytes()
    for path in src.rglob("*"):
        os.utime(path, (1, 1))
    assert wheel_of(src).to_bytes() == first


def test_an_edit_makes_another_version(src: Path) -> None:
    before = wheel_of(src)
    (src / "flights/flights.py").write_text("class Flights: x = 1\n")
    after = wheel_of(src)
    assert before.filename != after.filename
    assert before.filename.startswith("flights_app-0+")


def test_pip_installs_it_with_data_and_modes(src: Path, tmp_path: Path) -> None:
    wheel = wheel_of(src)
    path, target = tmp_path / wheel.filename, tmp_path / "target"
    path.write_bytes(wheel.to_bytes())
    argv = [sys.executable, "-m", "pip", "install", "--no-deps", "--no-index", "-q"]
    subprocess.run([*argv, "--target", str(target), str(path)], check=True, timeout=60)
    assert (target / "flights/data/airports, old.csv").read_text() == "JFK\n"
    assert os.access(target / "flights/tool.sh", os.X_OK)
    assert not os.access(target / "flights/flights.py", os.X_OK)


def test_the_runtime_is_what_this_process_imports_with_its_requirements() -> None:
    wheel = runtime_wheel(SourceDigests())
    names = {file.name for file in wheel.files}
    assert {"agi_env/__init__.py", "agi_env/errors.py", "agi_env/py.typed"} <= names
    assert "Name: agi-env\n" in wheel.metadata
    assert "Requires-Dist: platformdirs" in wheel.metadata
    assert "Provides-Extra: cluster\n" in wheel.metadata
    assert "Requires-Dist: distributed>=2025.1; extra == 'cluster'" in wheel.metadata


def test_the_record_names_every_file(src: Path) -> None:
    archive = zipfile.ZipFile(BytesIO(wheel_of(src).to_bytes()))
    record = next(name for name in archive.namelist() if name.endswith("RECORD"))
    assert len(archive.read(record).splitlines()) == len(archive.namelist())


def test_sources_that_were_stored_are_not_built_again(src: Path, tmp_path: Path) -> None:
    store = WheelStore(tmp_path / "wheels")
    first = wheel_of(src).stored_in(store)
    made = store.path(first).stat().st_mtime_ns
    assert wheel_of(src).stored_in(store) == first
    assert store.path(first).stat().st_mtime_ns == made
    store.path(first).write_bytes(b"short")  # a damaged one is made again
    assert wheel_of(src).stored_in(store) == first
    assert store.holds(first)
