"""The lock of a build: shared by those who run in it, never to be had alone meanwhile."""

from __future__ import annotations

import fcntl
import os
from pathlib import Path

import pytest

from agi_env.errors import NotInstalledError
from agi_env.runtime import build_lock


@pytest.fixture
def build(tmp_path: Path) -> Path:
    build = tmp_path / "builds" / "abc"
    build.mkdir(parents=True)
    (build / build_lock.MANIFEST_FILE).write_text("{}")
    return build


def is_free(build: Path) -> bool:
    descriptor = os.open(build.with_name("abc.lock"), os.O_RDWR | os.O_CREAT)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    finally:
        os.close(descriptor)
    return True


def test_it_is_shared_and_free_once_all_have_let_go(build: Path) -> None:
    held = [build_lock.hold(build) for _ in range(2)]
    for descriptor in held:
        assert not is_free(build)
        os.close(descriptor)
    assert is_free(build)


def test_a_forked_process_holds_it_too(build: Path) -> None:
    descriptor, (reader, writer) = build_lock.hold(build), os.pipe()
    child = os.fork()
    if child == 0:
        os.close(writer)
        os.read(reader, 1)
        os._exit(0)
    os.close(descriptor)
    assert not is_free(build)
    os.close(writer)
    os.waitpid(child, 0)
    os.close(reader)
    assert is_free(build)


def test_a_use_is_noted_by_its_time(build: Path) -> None:
    lock = build.with_name("abc.lock")
    lock.touch()
    os.utime(lock, (0, 0))
    os.close(build_lock.hold(build))
    assert lock.stat().st_mtime > 0


def test_a_build_that_is_being_removed_is_refused(build: Path) -> None:
    descriptor = os.open(build.with_name("abc.lock"), os.O_RDWR | os.O_CREAT)
    fcntl.flock(descriptor, fcntl.LOCK_EX)
    with pytest.raises(NotInstalledError):
        build_lock.hold(build)
    os.close(descriptor)


def test_a_build_that_was_removed_is_refused(build: Path) -> None:
    (build / build_lock.MANIFEST_FILE).unlink()
    with pytest.raises(NotInstalledError):
        build_lock.hold(build)


def test_an_interpreter_of_no_build_holds_nothing() -> None:
    build_lock.hold_own()
