"""Releases: equal for equal inputs, and able to say what changed."""

from __future__ import annotations

import os
from pathlib import Path

from agi_daemon.install.release import Release, ReleaseFiles, changed_inputs
from agi_daemon.install.sources import SourceDigests


def test_equal_inputs_make_equal_digests_in_any_order() -> None:
    assert Release({"a": "1", "b": "2"}).digest == Release({"b": "2", "a": "1"}).digest
    assert Release({"a": "1"}).digest != Release({"a": "2"}).digest


def test_what_changed_is_named() -> None:
    old = Release({"app: src/a.py": "1", "app: src/b.py": "1", "dependencies": "1"})
    new = Release({"app: src/a.py": "2", "app: src/c.py": "1", "dependencies": "1"})
    assert changed_inputs(old, new) == (
        "app: src/a.py (edited)",
        "app: src/b.py (removed)",
        "app: src/c.py (added)",
    )
    assert changed_inputs(
        Release({"dependencies": "1", "modes": "6", "python": ">=3.11"}),
        Release({"dependencies": "2", "modes": "10", "python": ">=3.11"}),
    ) == ("dependencies (changed)", "modes (8 added, 4 removed)")
    assert changed_inputs(new, new) == changed_inputs(None, new) == ()


def test_the_last_release_is_kept_and_a_damaged_file_is_none(tmp_path: Path) -> None:
    files, release = ReleaseFiles(tmp_path / "releases"), Release({"a": "1"})
    assert files.load("a_project", "worker") is None
    files.save("a_project", "worker", release)
    assert files.load("a_project", "worker") == release
    assert files.load("a_project", "manager") is None
    (tmp_path / "releases" / "a_project" / "worker.json").write_text("{")
    assert files.load("a_project", "worker") is None


def tree(root: Path) -> Path:
    for name in ("flights/__init__.py", "flights/data/a.csv", "flights_worker/w.py", "alone.py"):
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(name)
    return root


def test_only_what_a_wheel_would_carry_counts(tmp_path: Path) -> None:
    tree(tmp_path)
    (tmp_path / "app_settings.toml").write_text("")
    for name in ("__pycache__/x.pyc", ".hidden/y", "x.egg-info/z", ".swp", "old.py~"):
        path = tmp_path / "flights" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("")
    found = [file.name for file in SourceDigests().packages(tmp_path)]
    assert found == ["alone.py", "flights/__init__.py", "flights/data/a.csv", "flights_worker/w.py"]


def test_an_edit_is_seen_and_its_undoing_too(tmp_path: Path) -> None:
    digests, edited = SourceDigests(), tree(tmp_path) / "alone.py"
    before = digests.tree(tmp_path)
    edited.write_text("changed")
    assert digests.tree(tmp_path) != before
    edited.write_text("alone.py")
    assert digests.tree(tmp_path) == before
    edited.chmod(0o755)
    assert digests.tree(tmp_path)[0].digest != before[0].digest


def test_a_file_is_read_again_only_when_its_stat_changed(tmp_path: Path) -> None:
    digests, file = SourceDigests(), tree(tmp_path) / "alone.py"
    before, info = digests.tree(tmp_path), file.stat()
    with file.open("r+") as same_inode:
        same_inode.write("ALONE.py")
    os.utime(file, ns=(info.st_atime_ns, info.st_mtime_ns))
    assert digests.tree(tmp_path) == before
    assert SourceDigests().tree(tmp_path) != before


def test_a_folder_that_links_to_itself_ends(tmp_path: Path) -> None:
    tree(tmp_path)
    (tmp_path / "flights" / "loop").symlink_to(tmp_path / "flights")
    assert len(SourceDigests().tree(tmp_path)) < 20
