"""Wheels by the hash of their bytes, and which wheel answers which need."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from typing import Any, Self

from attrs import frozen

from agi_env.atomic_file import write_atomically
from agi_env.paths import private_directory

_PIECE_BYTES = 1024 * 1024
_SHA256 = re.compile(r"[0-9a-f]{64}")
_FILENAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.!+-]*\.whl")
"""A bare name, as the specification of wheels has them."""


@frozen(order=True)
class Wheel:
    """One wheel, wherever it is stored."""

    filename: str
    sha256: str
    size: int

    @property
    def pure(self) -> bool:
        """It fits every platform."""
        return self.filename.endswith("-none-any.whl")

    def to_json(self) -> list[Any]:
        """The wheel as a JSON value."""
        return [self.sha256, self.filename, self.size]

    @classmethod
    def from_json(cls, value: Sequence[Any]) -> Self:
        """The wheel that ``to_json`` described.

        Raises:
            ValueError: It is none; its parts may be used as names of files.
        """
        match value:
            case [str(sha256), str(filename), int(size)] if _SHA256.fullmatch(sha256):
                if _FILENAME.fullmatch(filename):
                    return cls(filename, sha256, size)
        raise ValueError(f"{value!r} is no wheel")


class WheelStore:
    """The manager's wheels: ``<sha256>/<filename>``.

    Beside them, ``answers/<need>.json`` remembers which wheel was found for a need: a locked
    requirement on a platform, or a source tree. So nothing is resolved or built twice.

    Args:
        folder: Where it is; made when first written to.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def path(self, wheel: Wheel) -> Path:
        """Where the wheel is, or would be."""
        return self.folder / wheel.sha256 / wheel.filename

    def holds(self, wheel: Wheel) -> bool:
        """The wheel is here, whole."""
        try:
            return self.path(wheel).stat().st_size == wheel.size
        except FileNotFoundError:
            return False

    def put(self, filename: str, content: bytes) -> Wheel:
        """Store a wheel; storing it again changes nothing.

        Raises:
            DiskFullError: There is no room for it.
            StateUnwritableError: The store cannot be written.
        """
        wheel = Wheel(filename, hashlib.sha256(content).hexdigest(), len(content))
        if not self.holds(wheel):
            self._write(self.path(wheel), content)
        return wheel

    def recall(self, need: str) -> Wheel | None:
        """The wheel that answered this need before, if it is still here."""
        try:
            wheel = Wheel.from_json(json.loads(self._answer(need).read_bytes()))
        except (FileNotFoundError, ValueError):  # an answer that cannot be read is found again
            return None
        return wheel if self.holds(wheel) else None

    def remember(self, need: str, wheel: Wheel) -> None:
        """Let this wheel answer the need from now on."""
        self._write(self._answer(need), json.dumps(wheel.to_json()).encode())

    async def read(self, wheel: Wheel) -> AsyncIterator[bytes]:
        """The wheel's bytes, a piece of 1 MiB at a time."""
        with self.path(wheel).open("rb") as file:
            while piece := file.read(_PIECE_BYTES):
                yield piece

    def _answer(self, need: str) -> Path:
        return self.folder / "answers" / need[:2] / f"{need}.json"

    def _write(self, path: Path, content: bytes) -> None:
        private_directory(path.parent)
        write_atomically(path, content)
