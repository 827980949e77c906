"""What end-to-end tests begin with: a real daemon of their own, and apps made on the spot."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Protocol

import pytest

from agi_cluster.client.sync import Client
from agi_cluster.testing import RunningDaemon, running_daemon
from agi_env.app import class_name

MANAGER = """\
from agi_env import BaseApp, Partition


class {manager}(BaseApp):
    def partitions(self):
        for number in range(int(self.args.get("parts", 2))):
            yield Partition.of(id=f"p{number}", payload=number)
"""
WORKER = """\
from agi_env import BaseWorker


class {manager}Worker(BaseWorker):
    def work(self, partition, out):
        (out / "number.txt").write_text(str(partition.payload))
        return partition.payload

    def reduce(self, results):
        return sum(result.value for result in results)
"""
PYPROJECT = """\
[project]
name = "{name}"
version = "0.1.0"
requires-python = "{requires_python}"
dependencies = {dependencies}
"""


class MakeApp(Protocol):
    """Writes an app and returns its folder."""

    def __call__(
        self,
        name: str = "toy",
        *,
        manager: str = MANAGER,
        worker: str = WORKER,
        settings: str | None = None,
        dependencies: Sequence[str] = (),
        requires_python: str = ">=3.11",
    ) -> Path:
        """Write ``<name>_project`` into a new directory.

        Args:
            name: The app's target.
            manager: The manager module's text; ``{manager}`` stands for its class's name.
            worker: The worker module's text; ``{manager}`` as well.
            settings: The text of ``app_settings.toml``; none: the app comes without one.
            dependencies: What its ``pyproject.toml`` declares.
            requires_python: The versions of Python that it takes.
        """


@pytest.fixture(scope="module")
def daemon() -> Iterator[RunningDaemon]:
    """A daemon for the tests of one file, which must leave nothing running."""
    with running_daemon() as daemon:
        yield daemon


@pytest.fixture(scope="module")
def client(daemon: RunningDaemon) -> Iterator[Client]:
    """A client of that daemon."""
    with daemon.client() as client:
        yield client


@pytest.fixture(scope="session")
def make_app(tmp_path_factory: pytest.TempPathFactory) -> MakeApp:
    """Makes small apps that work unless they are given other texts."""

    def make(
        name: str = "toy",
        *,
        manager: str = MANAGER,
        worker: str = WORKER,
        settings: str | None = None,
        dependencies: Sequence[str] = (),
        requires_python: str = ">=3.11",
    ) -> Path:
        root = tmp_path_factory.mktemp("apps") / f"{name}_project"
        words = {"manager": class_name(name)}
        declared = PYPROJECT.format(
            name=root.name, requires_python=requires_python, dependencies=list(dependencies)
        )
        _write(root / "pyproject.toml", declared)
        _write(root / "src" / name / f"{name}.py", _filled(manager, words))
        _write(root / "src" / f"{name}_worker" / f"{name}_worker.py", _filled(worker, words))
        if settings is not None:
            _write(root / "src" / "app_settings.toml", settings)
        return root

    return make


def _filled(text: str, words: dict[str, str]) -> str:
    """The text with its placeholders filled; other braces stay as they are."""
    for name, word in words.items():
        text = text.replace(f"{{{name}}}", word)
    return text


def _write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
