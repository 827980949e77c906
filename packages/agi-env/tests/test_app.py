from __future__ import annotations

from pathlib import Path

import pytest

from agi_env.app import App
from agi_env.errors import AppInvalidError, AppNotFoundError


def make_app(where: Path, target: str = "air_traffic", pyproject: str = "") -> Path:
    root = where / f"{target}_project"
    for side in (target, f"{target}_worker"):
        (root / "src" / side).mkdir(parents=True)
        (root / "src" / side / f"{side}.py").touch()
    (root / "pyproject.toml").write_text(pyproject)
    return root


def test_an_app_knows_its_parts(tmp_path: Path) -> None:
    root = make_app(tmp_path)
    app = App.at(root)
    assert (app.name, app.target) == ("air_traffic_project", "air_traffic")
    assert (app.manager_class, app.worker_class) == ("AirTraffic", "AirTrafficWorker")
    assert app.manager_module == "air_traffic.air_traffic"
    assert app.worker_module == "air_traffic_worker.air_traffic_worker"
    assert app.manager_source == root / "src/air_traffic"
    assert app.worker_source == root / "src/air_traffic_worker"
    assert app.settings_seed == root / "src/app_settings.toml"


@pytest.mark.parametrize(
    "missing",
    [
        "pyproject.toml",
        "src/air_traffic/air_traffic.py",
        "src/air_traffic_worker/air_traffic_worker.py",
    ],
)
def test_a_missing_file_is_named(tmp_path: Path, missing: str) -> None:
    root = make_app(tmp_path)
    (root / missing).unlink()
    with pytest.raises(AppInvalidError, match=f"the file {missing} is missing") as caught:
        App.at(root)
    assert caught.value.where == str(root)


@pytest.mark.parametrize("name", ["flights", "Flights_project", "1_project", "a-b_project"])
def test_a_folder_needs_the_name_of_an_app(tmp_path: Path, name: str) -> None:
    (tmp_path / name).mkdir()
    with pytest.raises(AppInvalidError, match="is no name for an app"):
        App.at(tmp_path / name)


def test_no_folder_is_no_app(tmp_path: Path) -> None:
    (tmp_path / "file_project").touch()
    for path in ("none_project", "file_project", "file_project/x_project", "a\0_project"):
        with pytest.raises(AppNotFoundError, match="no such folder"):
            App.at(tmp_path / path)


@pytest.mark.parametrize("name", ["air_traffic", "air_traffic_project"])
def test_an_app_is_found_by_name(tmp_path: Path, name: str) -> None:
    first, second = make_app(tmp_path / "a"), make_app(tmp_path / "b")
    environ = {"APPS_PATH": f"{tmp_path / 'none'}:{tmp_path / 'b'}"}
    assert App.find(name, environ=environ).root == second
    assert App.find(name, [tmp_path / "a"], environ).root == first
    assert App.find(name, [first], environ).root == first
    assert App.find(str(first), environ={}).root == first


@pytest.mark.parametrize("name", ["flights", "Flights", "a-b", "", "_project", "a b"])
def test_an_unknown_app_is_not_found(tmp_path: Path, name: str) -> None:
    with pytest.raises(AppNotFoundError, match=r"no app|`agi apps"):
        App.find(name, [tmp_path], {})


def test_an_unreadable_place_is_said(tmp_path: Path) -> None:
    with pytest.raises(AppInvalidError, match="File name too long"):
        App.at(tmp_path / ("x" * 300 + "_project"))


def test_declarations_of_both_sides(tmp_path: Path) -> None:
    root = make_app(
        tmp_path,
        pyproject='[project]\nrequires-python = ">=3.12"\ndependencies = ["polars>=1", "numpy"]\n',
    )
    app = App.at(root)
    assert app.requires_python == ">=3.12"
    assert app.manager_dependencies() == app.worker_dependencies() == ["polars>=1", "numpy"]
    app.worker_pyproject.write_text('[project]\ndependencies = ["numpy"]\n')
    assert app.worker_dependencies() == ["numpy"]
    app.worker_pyproject.write_text("")
    assert app.worker_dependencies() == []


def test_nothing_declared_is_nothing(tmp_path: Path) -> None:
    app = App.at(make_app(tmp_path))
    assert (app.requires_python, app.manager_dependencies()) == ("", [])


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("[project]\nname = \n", 2),
        ("project = 3\n", 1),
        ("[project]\nname = 'x'\ndependencies = 'numpy'\n", 3),
        ("[project]\ndependencies = [1]\n", 2),
        ("\n[project]\nrequires-python = 3.11\n", 3),
    ],
)
def test_a_wrong_declaration_is_told_with_its_line(tmp_path: Path, text: str, line: int) -> None:
    app = App.at(make_app(tmp_path, pyproject=text))
    with pytest.raises(AppInvalidError) as caught:
        _ = (app.manager_dependencies(), app.requires_python)
    assert caught.value.where == f"{app.pyproject}:{line}"
