"""Modules of ours are executed without those of the directory in which they are started."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from agi_env.module_command import module_command


def test_a_module_that_lies_in_the_current_directory_is_not_imported(tmp_path: Path) -> None:
    (tmp_path / "json.py").write_text("raise SystemExit('it was imported')")
    command = module_command(sys.executable, "json.tool", "--compact", options=("-u",))
    assert command[1:4] == ["-u", "-P", "-m"]
    done = subprocess.run(
        command, input=b"[1, 2]", cwd=tmp_path, capture_output=True, timeout=60, check=False
    )
    assert (done.stdout, done.stderr) == (b"[1,2]\n", b"")
