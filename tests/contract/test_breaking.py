"""The contract only grows: callers of the last version understand this one.

``proto/agi_v1.binpb`` is the contract of the version that was tagged last. Whoever tags the next
one writes it anew: ``buf build proto --exclude-source-info -o proto/agi_v1.binpb``.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).parents[2]
TAGGED = REPOSITORY / "proto" / "agi_v1.binpb"


def breaking(protos: Path) -> subprocess.CompletedProcess[str]:
    """What buf has to say against these files."""
    buf = Path(sys.executable).with_name("buf")
    command = [buf, "breaking", protos, "--against", TAGGED]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)


def test_nothing_that_was_promised_is_broken() -> None:
    done = breaking(REPOSITORY / "proto")
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize(
    ("promised", "instead"),
    [
        ("  string plan = 6;\n", ""),
        ("string plan = 6;", "string plan = 60;"),
        ("string plan = 6;", "string plan_name = 6;"),
        ("string plan = 6;", "int64 plan = 6;"),
        ("    STATE_FAILED = 8;\n", ""),
        ("rpc GetRun(GetRunRequest) returns (Run);", ""),
        ("returns (stream WatchRunResponse);", "returns (WatchRunResponse);"),
    ],
)
def test_a_broken_promise_is_seen(tmp_path: Path, promised: str, instead: str) -> None:
    shutil.copytree(REPOSITORY / "proto", tmp_path, dirs_exist_ok=True)
    runs = tmp_path / "agi_cluster" / "api" / "v1" / "runs.proto"
    text = runs.read_text(encoding="utf-8")
    assert promised in text
    runs.write_text(text.replace(promised, instead), encoding="utf-8")
    done = breaking(tmp_path)
    assert done.returncode != 0
    assert "runs.proto" in done.stdout


def test_a_new_field_breaks_nothing(tmp_path: Path) -> None:
    shutil.copytree(REPOSITORY / "proto", tmp_path, dirs_exist_ok=True)
    runs = tmp_path / "agi_cluster" / "api" / "v1" / "runs.proto"
    text = runs.read_text(encoding="utf-8")
    more = text.replace("string plan = 6;", "string plan = 6;\n  // More.\n  string more = 600;")
    runs.write_text(more, encoding="utf-8")
    assert breaking(tmp_path).returncode == 0
