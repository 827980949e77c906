"""The directory of one attempt at a partition: what the app wrote, and the value it returned.

``out/`` is the app's. ``result.json`` is one JSON object, ``{"sha256": ..., "value": ...}``, whose
digest is that of the value's text. Both are on disk before anybody is told that they are there.
"""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from hashlib import sha256
from importlib import import_module
from pathlib import Path
from typing import Any

from agi_env.atomic_file import sync_directory
from agi_env.errors import StateUnreadableError

OUT_DIRECTORY = "out"
RESULT_FILE = "result.json"

_HEAD = b'{"sha256": "%b", "value": '
_TAIL = b"}\n"
_HEAD_BYTES = len(_HEAD) - len(b"%b") + 64


@dataclass(frozen=True, slots=True)
class Stored:
    """What is on disk.

    Attributes:
        sha256: Digest of the value's JSON text.
        bytes: Size of the value's text and of all files in ``out``.
    """

    sha256: str
    bytes: int


def create(directory: Path) -> Path:
    """Make the directory of an attempt; the private, empty ``out`` in it."""
    out = directory / OUT_DIRECTORY
    try:
        _make(directory.parent)
        directory.mkdir()
    except FileExistsError:
        # Whoever made it died before anybody heard of it. That is rare, and every executor would
        # pay for the import.
        import_module("shutil").rmtree(directory)
        directory.mkdir()
    out.mkdir()
    return out


def encode(value: Any) -> bytes:
    """The JSON text of a value.

    Raises:
        TypeError, ValueError, RecursionError: JSON cannot carry it.
    """
    return json.dumps(value, allow_nan=False).encode("ascii")


def store(directory: Path, text: bytes) -> Stored:
    """Put a value's text beside ``out`` and see that all of it is on disk."""
    digest = sha256(text).hexdigest()
    files, directories = _tree(str(directory / OUT_DIRECTORY))
    size = sum(_sync_file(path) for path in files) + len(text)
    _write(str(directory / RESULT_FILE), _HEAD % digest.encode() + text + _TAIL)
    # The directories come last: what is new in them is on disk by then, mostly, and costs nothing.
    above: list[Path | str] = [directory, directory.parent, directory.parent.parent]
    for each in (*directories, *above):
        sync_directory(each)
    return Stored(digest, size)


def load(directory: Path, digest: str) -> bytes:
    """The JSON text of the stored value.

    Raises:
        StateUnreadableError: It is not there, or is not what was stored under this digest.
    """
    path = directory / RESULT_FILE
    try:
        text = path.read_bytes()[_HEAD_BYTES : -len(_TAIL)]
    except OSError as error:
        raise StateUnreadableError(f"a result is gone: {error.strerror}", where=str(path)) from None
    if sha256(text).hexdigest() != digest:
        raise StateUnreadableError("a result does not match its digest", where=str(path))
    return text


def _make(directory: Path) -> None:
    """Make the directory of a partition's attempts; that of all attempts with the first."""
    try:
        directory.mkdir(exist_ok=True)
    except FileNotFoundError:
        directory.mkdir(parents=True, exist_ok=True)


def _tree(root: str) -> tuple[list[str], list[str]]:
    """The regular files below a directory, and the directories that anything is in."""
    files: list[str] = []
    directories: list[str] = []
    waiting = [root]
    while waiting:
        parent = waiting.pop()
        with os.scandir(parent) as entries:
            inside = list(entries)
        files += [each.path for each in inside if each.is_file(follow_symlinks=False)]
        waiting += [each.path for each in inside if each.is_dir(follow_symlinks=False)]
        if inside:
            directories.append(parent)
    return files, directories


def _sync_file(path: str) -> int:
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
        return os.fstat(descriptor).st_size
    finally:
        os.close(descriptor)


def _write(path: str, data: bytes) -> None:
    flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC
    descriptor = os.open(path, flags, 0o666)
    try:
        rest = memoryview(data)
        while rest:
            rest = rest[os.write(descriptor, rest) :]
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
