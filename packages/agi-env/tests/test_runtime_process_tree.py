"""Processes are found and killed wherever in the tree they hide."""

from __future__ import annotations

import os
import select
import subprocess
import sys
from collections.abc import Iterator

import pytest

from agi_env.runtime import process_tree
from agi_env.runtime.process_tree import Process

# A child with two descendants, of which one left its session and lost its parent.
FAMILY = """
import os, sys, time
def detached():
    if os.fork():
        return
    os.setsid()
    tell()
def tell():
    os.write(1, b"%d\\n" % os.getpid())
    time.sleep(600)
if not os.fork():
    tell()
detached()
tell()
"""
SLEEPER = "import time; print('ready', flush=True); time.sleep(600)"


def started(program: str, **environment: str) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [sys.executable, "-c", program],
        stdout=subprocess.PIPE,
        env={**os.environ, **environment},
        start_new_session=True,
    )


def first_line(child: subprocess.Popen[bytes]) -> bytes:
    assert child.stdout is not None
    return child.stdout.readline().strip()


def ends(pid: int) -> bool:
    try:
        handle = os.pidfd_open(pid)
    except ProcessLookupError:
        return True
    try:
        return bool(select.select([handle], [], [], 10)[0])
    finally:
        os.close(handle)


@pytest.fixture
def family() -> Iterator[subprocess.Popen[bytes]]:
    with started(FAMILY) as child:
        yield child
        child.kill()


def test_descendants_are_found_in_any_session(family: subprocess.Popen[bytes]) -> None:
    pids = {int(first_line(family)) for _ in range(3)}

    found = {process.pid for process in process_tree.descendants(family.pid)}

    assert found == pids - {family.pid}
    assert len(found) == 2
    process_tree.kill_tree(family.pid)


def test_a_tree_is_killed_whole(family: subprocess.Popen[bytes]) -> None:
    pids = [int(first_line(family)) for _ in range(3)]

    assert process_tree.kill_tree(family.pid) == []

    assert all(ends(pid) for pid in pids)
    assert family.wait(10) == -9


def test_killing_a_process_that_is_gone_is_no_error() -> None:
    with started("pass") as child:
        gone = Process(child.pid, os.getpid(), 0, "R")
        child.wait(10)

    process_tree.kill(gone)
    assert process_tree.find(child.pid) is None
    assert process_tree.kill_tree(child.pid) == []


def test_another_process_under_the_same_number_is_spared() -> None:
    with started(SLEEPER) as child:
        first_line(child)
        now = process_tree.find(child.pid)
        assert now is not None
        process_tree.kill(Process(now.pid, now.parent, now.start_time - 1, now.state))
        assert child.poll() is None

        process_tree.kill(now)
        assert child.wait(10) == -9


def test_marked_processes_are_found_and_killed() -> None:
    with started(SLEEPER, AGI_TEST_MARK="one") as mine, started(SLEEPER) as other:
        first_line(mine), first_line(other)
        assert [each.pid for each in process_tree.marked("AGI_TEST_MARK", "one")] == [mine.pid]

        assert process_tree.kill_marked("AGI_TEST_MARK", "one", 10) == []

        assert mine.wait(10) == -9
        assert other.poll() is None
        other.kill()


def test_this_process_is_found_as_it_is() -> None:
    own = process_tree.find(os.getpid())

    assert own is not None
    assert own.parent == os.getppid()
    assert not own.has_ended
    assert len(process_tree.boot_id()) == 36


def test_a_child_dies_with_its_parent() -> None:
    child = (
        "import os, time; from agi_env.runtime import process_tree as t\n"
        "parent = os.getpid()\n"
        "if not os.fork():\n"
        "    t.die_with_parent(parent)\n"
        "    print(os.getpid(), flush=True)\n"
        "time.sleep(600)\n"
    )
    with started(child) as parent:
        pid = int(first_line(parent))
        parent.kill()

        assert ends(pid)


def test_a_child_whose_parent_has_died_already_ends() -> None:
    program = (
        "from agi_env.runtime import process_tree as t\n"
        "t.die_with_parent(4194305); print('still here')"
    )
    with started(program) as child:
        assert first_line(child) == b""
        assert child.wait(10) == -9
