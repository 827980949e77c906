"""The lines of several logs whose text comes in pieces."""

from __future__ import annotations

from collections.abc import Iterator

from agi_env.foreign_text import printable_lines


class PrintedLines:
    """Cuts pieces into lines, each with the name of its file; a torn one waits for its rest.

    The lines are printable: they come between lines of progress, on a terminal or in a log.
    """

    def __init__(self) -> None:
        self._torn: dict[str, str] = {}

    def take(self, file: str, text: str) -> Iterator[str]:
        """The lines that a piece completes."""
        *lines, self._torn[file] = (self._torn.get(file, "") + text).split("\n")
        return (_line(file, line) for line in lines)

    def rest(self) -> Iterator[str]:
        """The last lines of files that do not end with a newline."""
        return (_line(file, text) for file, text in self._torn.items() if text)


def _line(file: str, text: str) -> str:
    return printable_lines(f"{file}: {text}")
