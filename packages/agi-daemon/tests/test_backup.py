"""Backups: whole or not there, and gone back to without losing what was before."""

from __future__ import annotations

import os
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from agi_daemon.backup.backups import ASKED, DAILY, Backups
from agi_daemon.backup.copy import copy_store
from agi_daemon.backup.restore import go_back, is_sound, put_aside
from agi_daemon.store.store import Store
from agi_env.errors import (
    AlreadyExistsError,
    NotFoundError,
    StateUnreadableError,
    StateUnwritableError,
)


@pytest.fixture
def store(tmp_path: Path):
    opened = Store.open(tmp_path / "store.sqlite3")
    yield opened
    opened.close()


def add(name: str):
    return lambda tx: tx.execute("INSERT INTO apps VALUES (?, '/x', 0)", (name,))


def names(path: Path) -> list[str]:
    with closing(sqlite3.connect(path)) as found:
        return [row[0] for row in found.execute("SELECT name FROM apps ORDER BY name")]


async def test_a_copy_holds_what_was_committed_and_no_writer_waits(
    store: Store, tmp_path: Path
) -> None:
    await store.write(add("before"))
    target = tmp_path / "copy.sqlite3"
    assert copy_store(store.path, target) == target.stat().st_size
    await store.write(add("after"))
    assert names(target) == ["before"]
    assert sorted(path.name for path in tmp_path.iterdir() if "copy" in path.name) == [target.name]


async def test_nothing_is_replaced_and_nothing_left_behind(store: Store, tmp_path: Path) -> None:
    target = tmp_path / "there"
    target.write_text("mine")
    with pytest.raises(AlreadyExistsError):
        copy_store(store.path, target)
    assert target.read_text() == "mine"
    with pytest.raises(NotFoundError):
        copy_store(tmp_path / "none", tmp_path / "copy")
    with pytest.raises(StateUnwritableError):
        copy_store(store.path, tmp_path / "no" / "copy")
    assert not [path for path in tmp_path.iterdir() if path.name.startswith(".")]


def test_a_damaged_store_is_no_backup(tmp_path: Path) -> None:
    damaged = tmp_path / "store.sqlite3"
    damaged.write_bytes(b"this was never a database" * 100)
    with pytest.raises(StateUnreadableError, match="agi daemon restore"):
        copy_store(damaged, tmp_path / "copy")
    assert not is_sound(damaged)


async def test_so_many_automatic_ones_are_kept_and_all_that_were_asked_for(store: Store) -> None:
    backups = Backups(store.path, keep=2)
    asked = [backups.make(ASKED) for _ in range(3)]
    daily = [backups.make(DAILY) for _ in range(4)]
    for number, path in enumerate([*asked, *daily]):
        if path.exists():
            os.utime(path, (number, number))
    daily.append(backups.make(DAILY))
    assert {each.path for each in backups.found()} == {*asked, *daily[-2:]}
    assert backups.newest().path == daily[-1]


async def test_going_back_keeps_what_was_before_beside(tmp_path: Path) -> None:
    path, backup = tmp_path / "store.sqlite3", tmp_path / "backup.sqlite3"
    store = Store.open(path)
    await store.write(add("early"))
    copy_store(path, backup)
    await store.write(add("late"))
    store.close()
    aside = go_back(path, backup)
    assert aside is not None
    assert (names(path), names(aside)) == (["early"], ["early", "late"])
    assert (path.stat().st_mode & 0o777, aside.stat().st_mode & 0o777) == (0o600, 0o600)


async def test_what_is_no_backup_changes_nothing(store: Store, tmp_path: Path) -> None:
    await store.write(add("mine"))
    letter, newer, empty = tmp_path / "letter", tmp_path / "newer", tmp_path / "empty"
    letter.write_text("a letter" * 500)
    copy_store(store.path, newer)
    with closing(sqlite3.connect(newer)) as changed:
        changed.execute("PRAGMA user_version = 9999")
    empty.touch()
    for path in (letter, newer, empty):
        with pytest.raises(StateUnreadableError):
            go_back(store.path, path)
    with pytest.raises(NotFoundError):
        go_back(store.path, tmp_path / "none")
    assert names(store.path) == ["mine"]


def test_a_damaged_store_goes_aside_with_its_log(tmp_path: Path) -> None:
    path = tmp_path / "store.sqlite3"
    path.write_bytes(b"no store")
    Path(f"{path}-wal").write_bytes(b"no log")
    aside = put_aside(path)
    assert aside is not None and not path.exists() and not Path(f"{path}-wal").exists()
    assert (aside.read_bytes(), Path(f"{aside}-wal").read_bytes()) == (b"no store", b"no log")
    assert put_aside(path) is None


def test_a_store_of_a_newer_version_is_not_damaged(tmp_path: Path) -> None:
    path = tmp_path / "store.sqlite3"
    Store.open(path).close()
    with closing(sqlite3.connect(path)) as changed:
        changed.execute("PRAGMA user_version = 9999")
    with pytest.raises(StateUnreadableError, match="9999"):
        is_sound(path)
