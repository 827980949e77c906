"""A directory in which something happens, and one in which nothing does."""

from __future__ import annotations

import select
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from agi_env.runtime.directory_watch import DirectoryWatch


@pytest.fixture
def watch(tmp_path: Path) -> Iterator[DirectoryWatch]:
    (tmp_path / "there").write_text("")
    watch = DirectoryWatch(tmp_path)
    yield watch
    watch.close()


def noticed(watch: DirectoryWatch) -> bool:
    return bool(select.select([watch.fd], [], [], 0)[0])


def write(directory: Path) -> None:
    with (directory / "there").open("a") as file:
        file.write("more")


@pytest.mark.parametrize(
    "change",
    [
        write,
        lambda directory: (directory / "new").touch(),
        lambda directory: (directory / "there").rename(directory / "moved"),
    ],
    ids=["written", "made", "renamed"],
)
def test_what_changes_is_noticed_until_it_is_cleared(
    change: Callable[[Path], object], watch: DirectoryWatch, tmp_path: Path
) -> None:
    assert not noticed(watch)
    change(tmp_path)
    assert noticed(watch)
    watch.clear()
    assert not noticed(watch)


def test_a_directory_that_is_not_there_is_not_watched(tmp_path: Path) -> None:
    watch = DirectoryWatch(tmp_path / "nowhere")
    assert watch.fd < 0
    watch.clear()
    watch.close()
