from __future__ import annotations

from pathlib import Path

import pytest

from agi_env.errors import SettingsInvalidError, ShareMissingError
from agi_env.mode import Mode
from agi_env.share import data_paths, share_root


def test_a_local_mode_uses_the_local_share(tmp_path: Path) -> None:
    environ = {"AGI_LOCAL_SHARE": str(tmp_path), "AGI_CLUSTER_SHARE": "/elsewhere"}
    assert share_root(Mode.POOL, environ) == tmp_path
    found = data_paths({"data_in": "in"}, "flights", Mode.PLAIN, environ)
    assert (found.data_in, found.data_out) == (tmp_path / "in", tmp_path / "flights/results")


def test_absolute_paths_stay(tmp_path: Path) -> None:
    found = data_paths({"data_in": "/data", "data_out": "~/o"}, "a", Mode.PLAIN, {})
    assert (found.data_in, found.data_out) == (Path("/data"), Path.home() / "o")


def test_a_cluster_mode_never_falls_back_to_the_local_share(tmp_path: Path) -> None:
    with pytest.raises(ShareMissingError, match="AGI_CLUSTER_SHARE"):
        share_root(Mode.CLUSTER, {"AGI_LOCAL_SHARE": str(tmp_path)})
    with pytest.raises(ShareMissingError, match="not a directory"):
        share_root(Mode.CLUSTER, {"AGI_CLUSTER_SHARE": str(tmp_path / "unmounted")})


@pytest.mark.parametrize("value", ["/somewhere", "../beside"])
def test_a_cluster_mode_reads_and_writes_on_its_share(tmp_path: Path, value: str) -> None:
    environ = {"AGI_CLUSTER_SHARE": str(tmp_path)}
    inside = {"data_out": str(tmp_path / "o")}
    assert data_paths(inside, "a", Mode.CLUSTER, environ).data_out == tmp_path / "o"
    with pytest.raises(SettingsInvalidError, match=r"args\.data_out"):
        data_paths({"data_out": value}, "a", Mode.CLUSTER, environ)


@pytest.mark.parametrize("value", [3, "", None])
def test_a_path_is_a_text(value: object) -> None:
    with pytest.raises(SettingsInvalidError, match=r"args\.data_in"):
        data_paths({"data_in": value}, "a", Mode.PLAIN, {})
