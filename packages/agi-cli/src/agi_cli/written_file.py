"""A file that a command writes for its user."""

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
