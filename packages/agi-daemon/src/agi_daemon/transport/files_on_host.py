"""Runs on a host, in its own Python: writes the files that come on its standard input.

It is sent there as text, so it imports nothing of ours, and is written for Python 3.8, that a host
whose Python is too old can say so. The first line says where and which files; their contents follow
one after the other. The answer is one line of JSON, with what the system refused, if it did.
"""

# pathlib would double the time that this takes.
# ruff: noqa: PTH102, PTH105, PTH108, PTH111, PTH110, PTH118, PTH120, PTH101, PTH116, T201
from __future__ import annotations

import json
import os
import stat
import sys


def main() -> None:
    """Do what the standard input says."""
    stream = sys.stdin.buffer
    order = json.loads(stream.readline())
    directory = os.path.expanduser(order["directory"])
    try:
        make_private(directory)
        for name, size in order["files"]:
            replace(os.path.join(directory, name), stream.read(size))
        sync(directory)
    except OSError as error:
        print(json.dumps({"errno": error.errno, "reason": error.strerror or str(error)}))
    else:
        print("{}")


def make_private(directory: str) -> None:
    """Make a directory 0700 with any parents it lacks; one that is open to others is closed."""
    if not os.path.exists(directory):
        make_parents(os.path.dirname(directory))
        os.mkdir(directory, 0o700)
    status = os.stat(directory)
    if status.st_uid != os.geteuid():
        raise PermissionError(1, f"the directory belongs to user {status.st_uid}")
    if stat.S_IMODE(status.st_mode) != 0o700:
        os.chmod(directory, 0o700)


def make_parents(directory: str) -> None:
    """Make what is missing of a path, 0700."""
    if not os.path.exists(directory):
        make_parents(os.path.dirname(directory))
        os.mkdir(directory, 0o700)


def replace(path: str, data: bytes) -> None:
    """Write a file of mode 0600 in one step."""
    folder, name = os.path.split(path)
    draft = os.path.join(folder, f".{name}.{os.getpid()}-{os.urandom(6).hex()}")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        os.replace(draft, path)
    except BaseException:
        os.unlink(draft)
        raise


def sync(directory: str) -> None:
    """Make the names in a directory survive a power cut."""
    descriptor = os.open(directory, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


if __name__ == "__main__":
    main()
