"""An attach that is started before there is a run to attach to."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from agi_env.runtime.journal import JOURNAL_FILE, Journal


def standing_by(said: bytes) -> tuple[int, list[dict[str, Any]]]:
    command = [sys.executable, "-m", "agi_env.runtime.attach", "--standby"]
    done = subprocess.run(command, input=said, stdout=subprocess.PIPE, timeout=60, check=False)
    return done.returncode, [json.loads(line) for line in done.stdout.splitlines()]


def test_its_arguments_come_on_stdin(tmp_path: Path) -> None:
    journal = Journal.open(tmp_path / JOURNAL_FILE, 1)
    journal.append("settled", state="SUCCEEDED")
    journal.close()
    arguments = [str(tmp_path), "--epoch", "2", "--after", "0"]
    code, lines = standing_by(json.dumps({"arguments": arguments}).encode() + b"\n")
    assert code == 0
    assert lines[0] == {"attached": {"started": False, "epoch": 1, "pid": None}}
    assert lines[1]["record"]["kind"] == "settled"
    assert lines[2] == {"gone": None, "settled": True}


@pytest.mark.parametrize(
    "said", [b"", b"{}\n", b"no json\n", b'{"arguments": ["run", "--epoch", "one"]}\n']
)
def test_without_them_it_ends(said: bytes) -> None:
    code, lines = standing_by(said)
    assert code != 0
    assert [line["error"]["code"] for line in lines] == ["REQUEST_INVALID"]
