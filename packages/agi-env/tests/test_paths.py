from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest

from agi_env import paths
from agi_env.errors import SocketPathTooLongError, StateUnwritableError


def test_the_state_directory_comes_from_the_environment(tmp_path: Path) -> None:
    assert paths.state_dir({"AGI_STATE_DIR": str(tmp_path / "a" / ".." / "s")}) == tmp_path / "s"
    assert paths.state_dir({"AGI_STATE_DIR": "~/s"}) == Path.home() / "s"


@pytest.mark.parametrize("environ", [{}, {"AGI_STATE_DIR": ""}, {"AGI_STATE_DIR": "  "}])
def test_without_a_value_the_state_directory_is_the_users(environ: dict[str, str]) -> None:
    assert paths.state_dir(environ).name == "agi"
    assert paths.state_dir(environ).is_absolute()


def test_everything_in_the_state_directory_has_its_place() -> None:
    state = Path("/s")
    assert paths.socket_path(state) == Path("/s/run/daemon.sock")
    assert paths.daemon_lock_path(state) == Path("/s/daemon.lock")
    assert paths.daemon_log_path(state) == Path("/s/daemon.log")
    assert paths.store_path(state) == Path("/s/store.sqlite3")
    assert paths.settings_path(state, "a_project") == Path(
        "/s/settings/a_project/app_settings.toml"
    )
    assert paths.lock_path(state, "a_project", "worker") == Path("/s/locks/a_project/worker.txt")
    assert paths.wheels_dir(state) == Path("/s/wheels")
    assert paths.host_root(state) == Path("/s/host")


def test_a_socket_path_has_107_bytes_at_most() -> None:
    room = 107 - len("/run/daemon.sock")
    longest = Path("/" + "x" * (room - 1))
    assert len(str(paths.socket_path(longest))) == 107
    with pytest.raises(SocketPathTooLongError, match="108 characters"):
        paths.socket_path(Path(f"{longest}y"))
    with pytest.raises(SocketPathTooLongError):
        paths.socket_path(Path("/" + "é" * (room // 2 + 1)))


def test_shares_and_apps(tmp_path: Path) -> None:
    assert paths.local_share({}) == Path.home() / "agi_share"
    assert paths.local_share({"AGI_LOCAL_SHARE": str(tmp_path)}) == tmp_path
    assert paths.cluster_share({}) is None
    assert paths.cluster_share({"AGI_CLUSTER_SHARE": str(tmp_path)}) == tmp_path
    assert paths.apps_path({}) == ()
    assert paths.apps_path({"APPS_PATH": f"/a:{tmp_path}:"}) == (Path("/a"), tmp_path)


def test_a_private_directory_is_made_with_its_parents(tmp_path: Path) -> None:
    path = paths.private_directory(tmp_path / "a" / "b")
    assert [stat.S_IMODE(p.stat().st_mode) for p in (path, path.parent)] == [0o700, 0o700]
    assert paths.private_directory(path) == path


def test_an_open_directory_is_closed_to_others(tmp_path: Path) -> None:
    tmp_path.chmod(0o755)
    assert stat.S_IMODE(paths.private_directory(tmp_path).stat().st_mode) == 0o700


@pytest.mark.parametrize("below", ["", "/deeper"])
def test_a_file_in_the_way_is_refused(tmp_path: Path, below: str) -> None:
    (tmp_path / "file").write_text("x")
    with pytest.raises(StateUnwritableError, match="cannot be written: Not a directory"):
        paths.private_directory(Path(f"{tmp_path}/file{below}"))


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a directory away")
def test_another_users_directory_is_refused(tmp_path: Path) -> None:
    os.chown(tmp_path, 12345, -1)
    with pytest.raises(StateUnwritableError, match="belongs to user 12345"):
        paths.private_directory(tmp_path)


def test_where_nothing_can_be_made_the_error_names_the_place() -> None:
    with pytest.raises(StateUnwritableError, match="/proc/agi") as caught:
        paths.private_directory(Path("/proc/agi"))
    assert "AGI_STATE_DIR" in str(caught.value)
