"""Files of a host's root: JSON, durable writes, locks, and what has drifted."""

# pathlib would add a third to the time that a check takes; these paths are all below our root.
# ruff: noqa: PTH104, PTH110, PTH123
from __future__ import annotations

import fcntl
import os
import time

from agi_daemon.install.on_host.json_text import loads
from agi_daemon.install.on_host.talk import say

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any


def read_json(path: str) -> Any:
    """The JSON value in a file; nothing where there is none, or no JSON."""
    try:
        with open(path, encoding="utf-8") as file:
            return loads(file.read())
    except (FileNotFoundError, NotADirectoryError, ValueError):
        return None


def write_file(path: str, text: str) -> None:
    """Replace a file by one rename, synced."""
    draft = f"{path}.{os.getpid()}"
    with open(draft, "w", encoding="utf-8") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    os.rename(draft, path)


def sync_folder(path: str) -> None:
    """Make the names in a folder durable."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def files_below(folder: str, prefix: str = "") -> Iterator[tuple[str, os.stat_result]]:
    """Every file and link below a folder, by relative path."""
    with os.scandir(folder) as entries:
        for entry in entries:
            if entry.is_dir(follow_symlinks=False):
                yield from files_below(entry.path, f"{prefix}{entry.name}/")
            else:
                yield prefix + entry.name, entry.stat(follow_symlinks=False)


def in_tests(name: str) -> bool:
    """It is a package's own test, as half of the files of some wheels are; no run needs it."""
    return "/tests/" in name


def list_files(build: str) -> None:
    """Write down size and time of the files of a build, to tell later whether it drifted."""
    found = sorted((name, info) for name, info in files_below(build) if not in_tests(name))
    lines = (f"{info.st_size} {info.st_mtime_ns} {name}\n" for name, info in found)
    write_file(build + "/files.txt", "".join(lines))


def drift_of(build: str) -> str:
    """The first file of a build that is not as it was made; an empty text when all are.

    It stands in for syncing thousands of files: one that a power cut left short has drifted.
    """
    try:
        with open(build + "/files.txt", encoding="utf-8") as listing:
            for line in listing:
                size, stamp, name = line.rstrip("\n").split(" ", 2)
                info = os.lstat(f"{build}/{name}")
                if info.st_size != int(size) or info.st_mtime_ns != int(stamp):
                    return name
    except FileNotFoundError as error:
        return os.path.relpath(str(error.filename), build)
    return "" if os.path.exists(build + "/bin/python") else "bin/python"


def note_use(build: str) -> None:
    """Let a build be known as used now: by the time of its lock, which runs share."""
    os.close(os.open(build + ".lock", os.O_RDWR | os.O_CREAT, 0o600))
    os.utime(build + ".lock")


class held:  # noqa: N801 - it is used as a statement
    """A lock on a file, for the time of a ``with``; the kernel frees it if we are killed."""

    def __init__(self, path: str, *, shared: bool) -> None:
        self._path, self._kind = path, fcntl.LOCK_SH if shared else fcntl.LOCK_EX

    def __enter__(self) -> None:
        self._handle = os.open(self._path, os.O_RDWR | os.O_CREAT, 0o600)
        tries = 0
        while not self._try():  # bounded by the deadline of the whole command, on the manager
            if tries % 20 == 0:
                say("waiting", path=self._path)
            tries += 1
            time.sleep(0.05)

    def __exit__(self, *_: object) -> None:
        os.close(self._handle)

    def _try(self) -> bool:
        try:
            fcntl.flock(self._handle, self._kind | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        return True
