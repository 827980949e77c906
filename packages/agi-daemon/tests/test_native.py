"""Compiled workers, with the real Cython and the real compiler of this machine."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from agi_daemon.install.installer import Installer
from agi_daemon.install.on_host.diagnosis import fault_of
from agi_daemon.install.outcome import HostOutcome, Installed, Phase, Progress
from agi_daemon.transport.local import LocalTransport
from agi_env.app import App
from agi_env.errors import (
    AppImportError,
    CompileFailedError,
    CompilerMissingError,
    DeviceFailedError,
)
from agi_env.mode import Mode

WORKER = """\
from math import sqrt


def norm(values):
    total = 0.0
    for value in values:
        total += value * value
    return sqrt(total)
"""

pytestmark = [
    pytest.mark.skipif(shutil.which("gcc") is None, reason="a C compiler is not installed"),
    pytest.mark.timeout(300),  # the first collects and builds the tools
]


class Bench:
    """One manager and host for all tests of the file, which have the same tools to compile with."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.steps: list[Progress] = []

    def app(self, name: str, **files: str) -> Path:
        """An app; further files of its worker package by their names, ``_`` for the dot."""
        root = self.folder / f"{name}_project"
        for part in (name, f"{name}_worker"):
            package = root / "src" / part
            package.mkdir(parents=True)
            (package / f"{part}.py").write_text(WORKER)
        declared = f'[project]\nname = "{name}"\nversion = "1"\nrequires-python = ">=3.11"\n'
        (root / "pyproject.toml").write_text(declared)
        for file, text in files.items():
            (root / f"src/{name}_worker" / ".".join(file.rsplit("_", 1))).write_text(text)
        return root

    async def install(self, root: Path, mode: Mode = Mode.CYTHON) -> Installed:
        self.steps.clear()
        return await Installer(self.folder / "s").ensure(
            App.at(root),
            [LocalTransport(self.folder / "s/host")],
            modes_enabled=mode,
            report=self.steps.append,
        )

    async def outcome(self, root: Path) -> HostOutcome:
        return (await self.install(root)).hosts[0]

    @property
    def compiled(self) -> bool:
        """Whether the last install compiled something."""
        return Phase.COMPILING in {step.phase for step in self.steps}


@pytest.fixture(scope="module")
def bench(tmp_path_factory: pytest.TempPathFactory) -> Bench:
    return Bench(tmp_path_factory.mktemp("native"))


def run_in(outcome: HostOutcome, code: str) -> str:
    if outcome.error:
        raise outcome.error
    assert outcome.build
    argv = [str(outcome.build.python), "-I", "-c", code]
    done = subprocess.run(argv, capture_output=True, text=True, timeout=60, check=True)
    return done.stdout.strip()


async def test_the_worker_is_an_extension_and_the_manager_is_not(bench: Bench) -> None:
    root = bench.app("plain")
    code = "import plain.plain as m, plain_worker.plain_worker as w; print(m.__file__, w.__file__)"
    first = await bench.outcome(root)
    manager, worker = run_in(first, code).split()
    assert manager.endswith("plain.py") and worker.endswith(".so")
    assert bench.compiled
    assert run_in(first, "from plain_worker.plain_worker import norm; print(norm([3, 4]))") == "5.0"

    assert (await bench.outcome(root)).unchanged and not bench.compiled
    (root / "src/plain/plain.py").write_text("NAME = 'edited'\n")
    edited = await bench.outcome(root)
    assert not bench.compiled and [n.split("-")[0] for n in edited.shipped] == ["plain_app"]
    plain = await bench.install(root, Mode.PLAIN)
    source = "import plain_worker.plain_worker as w; print(w.__file__)"
    assert run_in(plain.hosts[0], source).endswith("plain_worker.py")
    assert "modes (2 removed)" in plain.changed and "dependencies (changed)" not in plain.changed


async def test_the_author_may_write_cython_and_declare_types_beside(bench: Bench) -> None:
    root = bench.app(
        "typed",
        fast_pyx="cdef long twice(long n):\n    return 2 * n\ndef doubled(n): return twice(n)\n",
        typed_worker_pxd="cpdef double norm(values)\n",
    )
    code = (
        "from typed_worker import fast, typed_worker as w; print(fast.doubled(21), w.norm([3, 4]))"
    )
    assert run_in(await bench.outcome(root), code) == "42 5.0"


@pytest.mark.parametrize(
    ("name", "files", "where", "what"),
    [
        ("syntax", {"bad_py": "X = 1\ndef f(:\n    pass\n"}, "bad.py:2", "Expected ')'"),
        (
            "header",
            {"bad_pyx": '# one\ncdef extern from "nowhere.h":\n    int f()\nx = f()\n'},
            "bad.pyx:2",
            "there is no header nowhere.h",
        ),
        (
            "inc",
            {
                "bad_pyx": 'cdef extern from "math.h":\n    int sqrt(int, int)\ny = sqrt(1, 2)\n',
            },
            "bad.pyx:",
            "too many arguments",
        ),
        ("types", {"bad_pyx": "cdef int n = 'text'\n"}, "bad.pyx:1", ""),
    ],
)
async def test_what_does_not_compile_is_told_by_the_authors_line(
    bench: Bench, name: str, files: dict[str, Any], where: str, what: str
) -> None:
    error = (await bench.outcome(bench.app(name, **files))).error
    assert isinstance(error, CompileFailedError), error
    assert error.where.startswith(f"src/{name}_worker/{where}") and what in error.what
    assert list((bench.folder / "s/host/tmp").glob("compile-*")) == []


async def test_hosts_of_one_platform_share_what_the_manager_compiled(bench: Bench) -> None:
    root = bench.app("shared")
    hosts = [LocalTransport(bench.folder / name, host=name) for name in ("10.0.0.2", "10.0.0.3")]
    installed = await Installer(bench.folder / "s").ensure(
        App.at(root), hosts, modes_enabled=Mode.CYTHON, report=bench.steps.append
    )
    code = "import shared_worker.shared_worker as w; print(w.__file__)"
    wheels = [
        {name for name in outcome.shipped if name.startswith("shared_worker_app")}
        for outcome in installed.hosts
    ]
    assert wheels[0] == wheels[1] and "linux" in wheels[0].pop()
    assert all(run_in(outcome, code).endswith(".so") for outcome in installed.hosts)
    for host in hosts:  # what compiles is on the manager alone
        assert not list((Path(host.root) / "wheels").glob("*/cython-*"))
    said = [step.detail for step in bench.steps]
    assert sum(detail.startswith("compiling shared_worker") for detail in said) == 1


async def test_an_import_that_fails_is_told_by_the_authors_line(bench: Bench) -> None:
    root = bench.app("absent")
    (root / "src/absent_worker/absent_worker.py").write_text("x = 1\nimport no_such_module\n")
    error = (await bench.outcome(root)).error
    assert isinstance(error, AppImportError)
    assert error.where == "src/absent_worker/absent_worker.py:2"


async def test_a_host_without_a_compiler_says_how_to_get_one(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = bench.app("bare")
    (root / "src/bare_worker/bare_worker.py").write_text("NEW = 1\n")
    monkeypatch.setenv("PATH", str(bench.folder))
    error = (await bench.outcome(root)).error
    assert isinstance(error, CompilerMissingError)
    assert "gcc" in str(error) and error.metadata["command"] in str(error)
    assert error.where == "127.0.0.1"


@pytest.mark.parametrize(
    ("said", "code", "what"),
    [
        ("error: command 'g++' failed: No such file or directory\n", "COMPILER_MISSING", "g++"),
        ("../c/a.c:9:1: error: unknown type name 'foo'\n", "COMPILE_FAILED", "unknown type name"),
        ("", "COMPILE_FAILED", "ended its process by signal 9"),
    ],
)
def test_what_only_the_compiler_knows_is_passed_on(said: str, code: str, what: str) -> None:
    fault = fault_of(said, "ended its process by signal 9")
    assert (fault.code, what in str(fault)) == (code, True)


async def test_a_device_that_does_not_compute_is_met_when_it_is_installed(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AGI_FAKE_DEVICES", "0")  # as a driver that is loaded without a device
    error = (await bench.install(bench.app("gpu"), Mode.RAPIDS)).error
    assert isinstance(error, DeviceFailedError) and error.metadata["host"] == "127.0.0.1"
