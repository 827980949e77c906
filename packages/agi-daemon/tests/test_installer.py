"""Installs of a tiny app on this machine, with the real uv, index and interpreter."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from agi_daemon.install.installer import Installer
from agi_daemon.install.outcome import HostOutcome, Installed, Phase, Progress
from agi_daemon.install.resolution import Role
from agi_daemon.transport.host_transport import Completed
from agi_daemon.transport.local import LocalTransport
from agi_env.app import App
from agi_env.errors import (
    AppImportError,
    BuildFailedError,
    DiskFullError,
    LockFailedError,
    NotInstalledError,
    PythonMismatchError,
    WheelsFailedError,
)
from agi_env.mode import Mode


class CountingTransport(LocalTransport):
    """This machine, with a count of the commands run on it."""

    runs = 0

    async def run(self, *args: Any, **kwargs: Any) -> Completed:
        self.runs += 1
        return await super().run(*args, **kwargs)


class Site:
    """A tiny app, a manager's state and this machine as its host."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.root = folder, folder / "tiny_project"
        self.state, self.host_root = folder / "state", folder / "state" / "host"
        self.steps: list[Progress] = []
        self.worker = self.root / "src/tiny_worker/tiny_worker.py"
        for name in ("tiny", "tiny_worker"):
            package = self.root / "src" / name
            package.mkdir(parents=True)
            (package / f"{name}.py").write_text("NAME = __name__\n")
        self.declare()

    def declare(self, *dependencies: str, python: str = ">=3.11") -> None:
        (self.root / "pyproject.toml").write_text(
            f'[project]\nname = "tiny"\nversion = "1"\nrequires-python = "{python}"\n'
            f"dependencies = {list(dependencies)!r}\n"
        )

    async def install(self, **options: Any) -> Installed:
        self.steps.clear()
        hosts = options.pop("hosts", None) or [LocalTransport(self.host_root)]
        return await options.pop("installer", Installer(self.state)).ensure(
            App.at(self.root),
            hosts,
            **{"modes_enabled": Mode.PLAIN, "report": self.steps.append, **options},
        )

    async def ready(self, **options: Any) -> HostOutcome:
        installed = await self.install(**options)
        if installed.error:
            raise installed.error
        return installed.hosts[0]

    def phases(self) -> list[Phase]:
        """The phases that were reported, each once, in order."""
        return list(dict.fromkeys(step.phase for step in self.steps))

    def leftovers(self) -> list[str]:
        return [p.name for p in (self.host_root / "tmp").iterdir() if p.suffix != ".lock"]


@pytest.fixture
def site(tmp_path: Path) -> Site:
    return Site(tmp_path)


def run_in(outcome: HostOutcome, code: str) -> str:
    assert outcome.build
    argv = [str(outcome.build.python), "-I", "-c", code]
    return subprocess.run(
        argv, capture_output=True, text=True, timeout=60, check=True
    ).stdout.strip()


async def test_a_first_install_is_complete_and_a_second_has_nothing_to_do(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PYTHONDONTWRITEBYTECODE", "1")
    site.declare("six==1.17.0")
    first = await site.ready()
    assert site.phases() == [
        Phase.RESOLVED,
        Phase.CHECKED,
        Phase.COLLECTING,
        Phase.SHIPPING,
        Phase.REALISING,
        Phase.READY,
    ]
    assert "six-1.17.0-py2.py3-none-any.whl" in first.shipped
    code = "import six, tiny_worker.tiny_worker as w, agi_env.runtime; print(w.__cached__)"
    assert Path(run_in(first, code)).is_file()
    assert site.leftovers() == []

    host = CountingTransport(site.host_root)
    again = await site.install(hosts=[host])
    assert again.unchanged and again.changed == () and host.runs == 1
    assert site.phases() == [Phase.RESOLVED, Phase.CHECKED, Phase.UNCHANGED]
    assert again.hosts[0].build == first.build
    assert again.hosts[0].facts and again.hosts[0].facts.uv_version


async def test_an_edit_ships_one_small_wheel_and_its_undoing_nothing(site: Site) -> None:
    first = await site.ready()
    before = site.worker.read_text()
    site.worker.write_text("NAME = 'edited'\n")
    edited = await site.install()
    assert edited.changed == ("app: src/tiny_worker/tiny_worker.py (edited)",)
    [name] = edited.hosts[0].shipped
    assert name.startswith("tiny_app-0+") and edited.hosts[0].shipped_bytes < 4000
    code = "import tiny_worker.tiny_worker as w; print(w.NAME)"
    assert run_in(edited.hosts[0], code) == "edited"
    assert run_in(first, code) == "tiny_worker.tiny_worker"
    site.worker.write_text(before)
    back = await site.install()
    assert back.unchanged and back.hosts[0].build == first.build
    assert back.changed == ("app: src/tiny_worker/tiny_worker.py (edited)",)


async def test_both_roles_share_a_build_unless_they_declare_otherwise(site: Site) -> None:
    worker = await site.ready(role=Role.WORKER)
    manager = await site.ready(role=Role.MANAGER)
    assert manager.build == worker.build and manager.unchanged
    (site.root / "src/tiny_worker/pyproject.toml").write_text(
        '[project]\nname = "w"\nversion = "1"\ndependencies = ["six"]\n'
    )
    other = await site.install(role=Role.WORKER)
    assert other.changed == (
        "app: src/tiny_worker/pyproject.toml (added)",
        "dependencies (changed)",
        "modules (changed)",
    )
    assert any(name.startswith("six-") for name in other.hosts[0].shipped)


async def test_without_realising_the_error_says_what_changed(site: Site) -> None:
    site.steps.clear()
    await site.ready()
    site.worker.write_text("NAME = 2\n")
    refused = await site.install(realise=False)
    with pytest.raises(NotInstalledError, match=r"tiny_worker\.py \(edited\)") as caught:
        raise refused.error or AssertionError
    assert caught.value.where == "127.0.0.1" and "agi install tiny_project" in str(caught.value)


@pytest.mark.parametrize("harm", ["edit", "remove"])
async def test_a_build_that_drifted_is_made_again(site: Site, harm: str) -> None:
    first = await site.ready()
    assert first.build
    [module] = Path(first.build.path).glob("lib/*/site-packages/tiny/tiny.py")
    if harm == "edit":
        with module.open("a") as file:  # the same inode, as an editor might leave it
            file.write("x = 1\n")
    else:
        module.unlink()
    again = await site.ready()
    assert again.drift.endswith("site-packages/tiny/tiny.py") and again.build == first.build
    assert module.read_text() == "NAME = __name__\n"
    assert (await site.install()).unchanged


@pytest.mark.parametrize(
    ("code", "what", "where"),
    [
        ("x = 1\nimport no_such_module\n", "No module named 'no_such_module'", ":2"),
        ("def f(:\n", "SyntaxError", ":1"),
        ("import sys\nsys.exit('no')\n", "SystemExit: no", ":2"),
        ("import os\nos._exit(7)\n", "ended its process with 7", ""),
    ],
)
async def test_an_app_that_does_not_import_is_named_with_its_line(
    site: Site, code: str, what: str, where: str
) -> None:
    site.worker.write_text(code)
    failed = await site.install()
    assert isinstance(failed.error, AppImportError) and what in str(failed.error)
    if where:
        assert failed.error.where == f"src/tiny_worker/tiny_worker.py{where}"
    assert site.leftovers() == []
    assert list((site.host_root / "builds").iterdir()) == []


async def test_what_cannot_be_had_is_said_and_changes_nothing(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    site.declare("no-such-package-of-anybody-x7")
    with pytest.raises(LockFailedError, match="no-such-package-of-anybody-x7") as caught:
        await site.install()
    assert caught.value.where == str(site.root / "pyproject.toml")
    site.declare("six")
    monkeypatch.setenv("PIP_CONFIG_FILE", "/dev/null")
    monkeypatch.delenv("PIP_FIND_LINKS", raising=False)
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_CACHE_DIR", str(site.folder / "no-cache"))
    failed = await site.install()
    assert isinstance(failed.error, WheelsFailedError)
    monkeypatch.delenv("PIP_NO_INDEX")
    assert not (await site.install()).error


async def test_a_python_that_the_app_does_not_take_is_refused(site: Site) -> None:
    site.declare(python=">=3.30")
    failed = await site.install()
    assert isinstance(failed.error, PythonMismatchError)
    assert failed.error.metadata["host"] == "127.0.0.1"


async def test_a_host_that_fails_spoils_no_other(site: Site) -> None:
    broken = LocalTransport(site.folder / "b", host="broken", python="/nowhere/python")
    installed = await site.install(hosts=[broken, LocalTransport(site.host_root)])
    assert [bool(outcome.build) for outcome in installed.hosts] == [False, True]
    assert installed.hosts[0].error and not installed.unchanged


async def test_killed_in_the_middle_it_succeeds_the_next_time(site: Site) -> None:
    def kill(progress: Progress) -> None:
        if progress.detail == "install":
            [draft] = [p for p in (site.host_root / "tmp").iterdir() if p.is_dir()]
            os.kill(int(draft.suffix[1:]), signal.SIGKILL)

    failed = await site.install(report=kill)
    assert isinstance(failed.error, BuildFailedError) and "-9" in str(failed.error)
    assert site.leftovers() != []
    await site.ready()
    assert site.leftovers() == []


async def test_two_at_once_make_one_build(site: Site) -> None:
    await Installer(site.state).resolver.resolve(
        App.at(site.root), modes_enabled=Mode.PLAIN, role=Role.WORKER
    )
    steps: list[Progress] = []
    outcomes = await asyncio.gather(
        *(site.ready(installer=Installer(site.state), report=steps.append) for _ in range(2))
    )
    assert outcomes[0].build == outcomes[1].build
    assert [step.detail for step in steps].count("venv") == 1
    assert len(list((site.host_root / "builds").glob("*/manifest.json"))) == 1


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    path = tmp_path / "disk"
    path.mkdir()
    if os.geteuid() != 0:
        pytest.skip("mounting a small disk needs root")
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(path)],
        capture_output=True,
        check=False,
    )
    if mounted.returncode:
        pytest.skip(f"no tmpfs can be mounted: {mounted.stderr.decode().strip()}")
    yield path
    subprocess.run(["umount", "-l", str(path)], check=True)


async def test_a_full_disk_is_named_and_room_mends_it(site: Site, small_disk: Path) -> None:
    host = LocalTransport(small_disk / "host")
    failed = await site.install(hosts=[host])
    assert isinstance(failed.error, DiskFullError)
    assert [p for p in (small_disk / "host/tmp").iterdir() if p.suffix != ".lock"] == []
    subprocess.run(["mount", "-o", "remount,size=100m", str(small_disk)], check=True)
    await site.ready(hosts=[host])
