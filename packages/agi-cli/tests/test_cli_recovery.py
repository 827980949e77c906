"""The daemon's own program is started from anywhere, and takes nothing from there."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

AGI = Path(sys.executable).with_name("agi")


@pytest.fixture
def state() -> Iterator[Path]:
    """Short: the path of a socket has its limit."""
    with tempfile.TemporaryDirectory(prefix="agi-") as path:
        yield Path(path) / "state"


@pytest.mark.parametrize("words", [("daemon", "rebuild"), ("daemon", "start")])
def test_modules_of_a_downloaded_project_are_not_imported(
    state: Path, tmp_path: Path, words: tuple[str, ...]
) -> None:
    for name in ("argparse", "json", "sqlite3", "queue", "agi_daemon"):
        (tmp_path / f"{name}.py").write_text(f"open({str(tmp_path / 'imported')!r}, 'w')")
    env = {**os.environ, "AGI_STATE_DIR": str(state)}

    def agi(*arguments: str) -> subprocess.CompletedProcess[str]:
        command = [AGI, *arguments, "-o", "json"]
        return subprocess.run(
            command, cwd=tmp_path, env=env, capture_output=True, text=True, timeout=60, check=False
        )

    try:
        done = agi(*words)
    finally:
        agi("daemon", "stop")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)
    assert not (tmp_path / "imported").exists()
