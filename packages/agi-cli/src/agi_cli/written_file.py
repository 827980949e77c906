"""Files that a command reads and writes for its user."""

from __future__ import annotations

from pathlib import Path

from agi_env.errors import AlreadyExistsError, RequestInvalidError

_HEAD_CHARACTERS = 4096


def write_file(path: Path, text: str, *, mark: str, force: bool = False) -> None:
    """Write a generated text, in the place of one that was generated before or of nothing.

    Args:
        path: Where.
        text: What is written.
        mark: What stands near the beginning of each text of this kind, and in no other.
        force: Replace whatever is there.

    Raises:
        AlreadyExistsError: Something else is there.
        RequestInvalidError: The file cannot be written there.
    """
    if not force and path.exists() and not _begins_with(mark, path):
        raise AlreadyExistsError(
            "this file was not written by agi",
            where=str(path),
            remedy="Name another one, or add --force to replace it",
        )
    try:
        path.write_text(text, encoding="utf-8")
    except OSError as error:
        raise RequestInvalidError(
            f"the file cannot be written: {error.strerror}",
            where=str(path),
            remedy="Name another file",
        ) from error


def _begins_with(mark: str, path: Path) -> bool:
    try:
        with path.open(encoding="utf-8", errors="replace") as file:
            return mark in file.read(_HEAD_CHARACTERS)
    except OSError:
        return True  # what cannot be read is no text of anybody: writing it says what it is


def read_file(path: Path) -> str:
    """The text of a file.

    Raises:
        RequestInvalidError: It cannot be read, or is no text.
    """
    try:
        return path.read_text(encoding="utf-8")
    except OSError as error:
        what = f"the file cannot be read: {error.strerror}"
    except UnicodeDecodeError:
        what = "the file is not UTF-8"
    raise RequestInvalidError(what, where=str(path), remedy="Name another file")
