"""The directory of one attempt at a partition: what the app wrote, and the value it returned.

``out/`` is the app's. ``result.json`` is one JSON object, ``{"sha256": ..., "value": ...}``, whose
digest is that of the value's text. Both are on disk before anybody is told that they are there.
"""

from __future__ import annotations

import json
import os
import shutil
from dataclasses import dataclass
from hashlib import sha256
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
    if directory.exists():
        # Whoever made it died before anybody heard of it.
        shutil.rmtree(directory)
    out = directory / OUT_DIRECTORY
    out.mkdir(parents=True)
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
    files, directories = _tree(directory / OUT_DIRECTORY)
    result = directory / RESULT_FILE
    result.write_bytes(_HEAD % digest.encode() + text + _TAIL)
    # The directories come last: what is new in them is on disk by then, mostly, and costs nothing.
    size = sum(_sync_file(path) for path in (*files, result))
    for each in (*directories, directory, directory.parent, directory.parent.parent):
        sync_directory(each)
    return Stored(digest, size - _HEAD_BYTES - len(_TAIL))


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


def _tree(root: Path) -> tuple[list[Path], list[Path]]:
    """The regular files below a directory, and the directories that anything is in."""
    files, directories = [], []
    for parent, below, names in os.walk(root):
        paths = [Path(parent, name) for name in names]
        files += [path for path in paths if path.is_file() and not path.is_symlink()]
        if below or names:
            directories.append(Path(parent))
    return files, directories


def _sync_file(path: Path) -> int:
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
        return os.fstat(descriptor).st_size
    finally:
        os.close(descriptor)
