"""Files that a command reads and writes for its user."""

from __future__ import annotations

from pathlib import Path

from agi_env.errors import RequestInvalidError


def write_file(path: Path, text: str) -> None:
    """Write the text.

    Raises:
        RequestInvalidError: The file cannot be written there.
    """
    try:
        path.write_text(text, encoding="utf-8")
    except OSError as error:
        raise RequestInvalidError(
            f"the file cannot be written: {error.strerror}",
            where=str(path),
            remedy="Name another file",
        ) from error


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
