from __future__ import annotations

import importlib
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from agi_env.app import App
from agi_env.app_template import create
from agi_env.errors import AlreadyExistsError, RequestInvalidError
from agi_env.runtime.app_context import AppContext
from agi_env.runtime.partitions import PartitionResult
from agi_env.settings_file import SettingsFile


@pytest.fixture
def app(tmp_path: Path) -> Iterator[App]:
    app = create("prime_count", tmp_path)
    sys.path.insert(0, str(app.source))
    try:
        yield app
    finally:
        sys.path.remove(str(app.source))
        for name in [name for name in sys.modules if name.startswith("prime_count")]:
            del sys.modules[name]


def test_a_new_app_is_an_app(app: App, tmp_path: Path) -> None:
    assert app == App.at(tmp_path / "prime_count_project")
    assert app.requires_python == ">=3.11"
    assert app.worker_dependencies() == []
    settings = SettingsFile(tmp_path / "s" / "f.toml", app.settings_seed).read().settings
    assert settings.args == {"limit": 200000, "parts": 8}
    assert settings.explain()[0] == "0 = plain local Python"
    assert "$" not in "".join(f.read_text() for f in app.root.rglob("*") if f.is_file())
    assert [p.name for p in tmp_path.iterdir() if p.name.startswith(".")] == []


def test_a_new_app_counts_the_primes(app: App, tmp_path: Path) -> None:
    args = {"limit": 1000, "parts": 3}
    env = AppContext(app.name, app.target, 0, 1, tmp_path, tmp_path)
    manager = getattr(importlib.import_module(app.manager_module), app.manager_class)(env, **args)
    worker = getattr(importlib.import_module(app.worker_module), app.worker_class)(env, **args)
    worker.start()
    results = []
    for partition in manager.partitions():
        out = tmp_path / partition.id
        out.mkdir()
        results.append(PartitionResult(partition, worker.work(partition, out), out))
    worker.stop()
    assert len(results) == 3
    assert worker.reduce(results) == {"primes": 168, "largest": 997}
    assert (results[0].out / "primes.txt").read_text().split()[:4] == ["2", "3", "5", "7"]
    weights = [result.partition.weight for result in results]
    assert weights == sorted(weights)


def test_nothing_is_made_over_something(tmp_path: Path) -> None:
    create("weather", tmp_path)
    with pytest.raises(AlreadyExistsError, match="weather_project"):
        create("weather_project", tmp_path)


@pytest.mark.parametrize("name", ["", "A", "a-b", "1a", "a/b", "class", "json", "agi_env_project"])
def test_a_name_that_would_not_work_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(RequestInvalidError, match="cannot be called"):
        create(name, tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_the_folder_around_it_has_to_exist(tmp_path: Path) -> None:
    with pytest.raises(RequestInvalidError, match="no such folder"):
        create("weather", tmp_path / "none")
