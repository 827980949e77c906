from __future__ import annotations

import asyncio
import subprocess
import sys
import threading
from pathlib import Path

from agi_daemon.watchdog import EXIT_CODE, Watchdog

STUCK = """
import asyncio, sys, threading
from pathlib import Path
from agi_daemon.watchdog import Watchdog

async def main():
    async with Watchdog(0.2, Path(sys.argv[1])).watching():
        await asyncio.sleep(0)
        threading.Event().wait()

asyncio.run(main())
"""


async def test_a_stuck_loop_is_found_and_its_stacks_are_kept(tmp_path: Path) -> None:
    log, ended = tmp_path / "daemon.log", threading.Event()
    async with Watchdog(0.2, log, ended.set).watching():
        assert ended.wait(30)
    text = log.read_text()
    assert "the event loop is stuck" in text
    assert "test_a_stuck_loop_is_found_and_its_stacks_are_kept" in text


async def test_a_loop_that_turns_is_left_alone(tmp_path: Path) -> None:
    log, ended = tmp_path / "daemon.log", threading.Event()
    async with Watchdog(0.5, log, ended.set).watching():
        for _ in range(100):
            await asyncio.sleep(0.01)
    assert not ended.is_set()
    assert not log.exists()


async def test_a_limit_of_0_watches_nothing(tmp_path: Path) -> None:
    before = threading.active_count()
    async with Watchdog(0, tmp_path / "log").watching():
        assert threading.active_count() == before


def run_stuck(log: Path) -> int:
    command = [sys.executable, "-c", STUCK, str(log)]
    return subprocess.run(command, capture_output=True, timeout=60, check=False).returncode


def test_the_process_ends_with_a_code(tmp_path: Path) -> None:
    assert run_stuck(tmp_path / "daemon.log") == EXIT_CODE


def test_the_process_ends_even_if_nothing_can_be_written(tmp_path: Path) -> None:
    assert run_stuck(tmp_path / "missing" / "daemon.log") == EXIT_CODE
