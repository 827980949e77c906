from __future__ import annotations

import pickle
import subprocess
import sys
from pathlib import Path

import pytest

import agi_env
from agi_env.app_template import create
from agi_env.environment import AgiEnv
from agi_env.errors import AppInvalidError, AppNotFoundError, InvalidInputError


def test_an_environment_is_a_value() -> None:
    env = AgiEnv(app="mycode_project", verbose=1)
    assert repr(env) == "AgiEnv(app='mycode_project', verbose=1, apps_path=None)"
    assert env == AgiEnv("mycode") == pickle.loads(pickle.dumps(env))
    assert (env.name, env.target) == ("mycode_project", "mycode")
    with pytest.raises(AttributeError):
        env.verbose = 2  # type: ignore[misc]


def test_a_path_becomes_absolute() -> None:
    assert AgiEnv(app="./x/../mycode_project").app == str(Path.cwd() / "mycode_project")
    assert AgiEnv(app=Path("mycode_project")).app == str(Path.cwd() / "mycode_project")
    assert AgiEnv(app="/a/mycode_project").name == "mycode_project"


def test_a_known_folder_is_sent_as_its_absolute_path(tmp_path: Path) -> None:
    root = create("mycode", tmp_path).root
    assert AgiEnv(app="mycode_project", apps_path=tmp_path).reference == str(root)
    assert AgiEnv(app=root).resolve().root == root


def test_folders_are_searched_in_order(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    places = [tmp_path / name for name in ("own", "apps", "here")]
    for place in places:
        place.mkdir()
    monkeypatch.chdir(places[2])
    monkeypatch.setenv("APPS_PATH", str(places[1]))
    env = AgiEnv(app="mycode", apps_path=places[0])
    assert env.reference == "mycode_project"
    for place in reversed(places):
        root = create("mycode", place).root
        assert env.reference == str(root)


def test_what_only_the_daemon_may_know_is_sent_by_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert AgiEnv(app="elsewhere").reference == "elsewhere_project"
    with pytest.raises(AppNotFoundError):
        AgiEnv(app="elsewhere").resolve()
    with pytest.raises(AppNotFoundError):
        _ = AgiEnv(app=tmp_path / "elsewhere_project").reference
    (tmp_path / "elsewhere_project").mkdir()
    with pytest.raises(AppInvalidError, match=r"pyproject.toml is missing"):
        _ = AgiEnv(app="elsewhere").reference


@pytest.mark.parametrize("name", ["My-Code", "", "a b"])
def test_a_name_that_no_app_can_have_is_refused_at_once(name: str) -> None:
    with pytest.raises(AppNotFoundError, match="no app can be called"):
        AgiEnv(app=name)


@pytest.mark.parametrize("verbose", [4, -1, True, "1"])
def test_verbose_is_a_level(verbose: int) -> None:
    with pytest.raises(InvalidInputError, match="from 0 to 3"):
        AgiEnv(app="mycode", verbose=verbose)


def test_the_package_offers_its_names_and_loads_none_of_them() -> None:
    assert all(getattr(agi_env, name).__name__ == name for name in agi_env.__all__)
    assert set(agi_env.__all__) <= set(dir(agi_env))
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        _ = agi_env.nothing
    script = "import sys, agi_env; print([m for m in sys.modules if m.startswith('agi_env.')])"
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True, timeout=60
    )
    assert done.stdout == "[]\n"
