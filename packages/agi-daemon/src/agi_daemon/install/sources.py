"""What is in a source tree: the digest of each file that a wheel of it would carry."""

from __future__ import annotations

import hashlib
import os
import stat
from collections.abc import Iterator
from pathlib import Path

from attrs import frozen

_IGNORED_SUFFIXES = (".pyc", ".pyo", "~", ".egg-info", ".dist-info")


@frozen
class SourceFile:
    """One file of a source tree.

    Attributes:
        name: Its path below the tree's root, with ``/``.
        path: Where it is.
        executable: Its owner may execute it.
        sha256: Digest of its content, as hexadecimal.
    """

    name: str
    path: Path
    executable: bool
    sha256: str

    @property
    def digest(self) -> str:
        """Digest of all that a wheel carries of it: content and executable bit."""
        return f"{self.sha256}+x" if self.executable else self.sha256


class SourceDigests:
    """Digests of source trees; a file is read again only when its stat has changed."""

    def __init__(self) -> None:
        self._known: dict[Path, tuple[tuple[int, int, int], str]] = {}

    def packages(self, root: Path) -> tuple[SourceFile, ...]:
        """Files of the packages and modules directly below ``root``, by name.

        What else lies beside them, such as the seed of the settings, is no part of a wheel.
        """
        return tuple(
            file for file in self.tree(root) if "/" in file.name or file.name.endswith(".py")
        )

    def tree(self, root: Path) -> tuple[SourceFile, ...]:
        """Files below ``root``, by name, without hidden, backup and compiled ones."""
        found = (self._file(root, path, info) for path, info in _walk(root, set()))
        return tuple(sorted(found, key=lambda file: file.name))

    def _file(self, root: Path, path: Path, info: os.stat_result) -> SourceFile:
        stamp = (info.st_mtime_ns, info.st_size, info.st_ino)
        known = self._known.get(path)
        if known is None or known[0] != stamp:
            known = self._known[path] = (stamp, _sha256(path))
        name = path.relative_to(root).as_posix()
        return SourceFile(name, path, bool(info.st_mode & stat.S_IXUSR), known[1])


def _walk(folder: Path, seen: set[tuple[int, int]]) -> Iterator[tuple[Path, os.stat_result]]:
    with os.scandir(folder) as entries:
        wanted = [entry for entry in entries if _counts(entry.name)]
    for entry in wanted:
        info = entry.stat()
        if stat.S_ISREG(info.st_mode):
            yield Path(entry.path), info
        elif stat.S_ISDIR(info.st_mode) and (info.st_dev, info.st_ino) not in seen:
            seen.add((info.st_dev, info.st_ino))  # links to folders are followed, once
            yield from _walk(Path(entry.path), seen)


def _counts(name: str) -> bool:
    return not (name.startswith(".") or name == "__pycache__" or name.endswith(_IGNORED_SUFFIXES))


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
