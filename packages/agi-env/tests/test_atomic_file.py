from __future__ import annotations

import errno
import os
import stat
from pathlib import Path

import pytest

from agi_env.atomic_file import storage_error, write_atomically
from agi_env.errors import DiskFullError, StateUnwritableError


def test_a_file_is_replaced_and_private(tmp_path: Path) -> None:
    path = tmp_path / "f"
    path.write_text("old")
    write_atomically(path, b"new")
    assert path.read_bytes() == b"new"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert list(tmp_path.iterdir()) == [path]


def test_a_failure_leaves_no_draft(tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    with pytest.raises(StateUnwritableError):
        write_atomically(tmp_path / "folder", b"new")
    assert list(tmp_path.iterdir()) == [tmp_path / "folder"]


def test_a_missing_directory_is_named(tmp_path: Path) -> None:
    with pytest.raises(StateUnwritableError, match="No such file"):
        write_atomically(tmp_path / "none" / "f", b"")


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT, errno.EFBIG])
def test_no_room_is_said_as_such(number: int) -> None:
    error = storage_error(OSError(number, os.strerror(number)), Path("/f"))
    assert isinstance(error, DiskFullError)
    assert os.strerror(number) in str(error)
