"""The lines of several logs whose text comes in pieces."""

from __future__ import annotations

from collections.abc import Iterator


class PrintedLines:
    """Cuts pieces into lines, each with the name of its file; a torn one waits for its rest."""

    def __init__(self) -> None:
        self._torn: dict[str, str] = {}

    def take(self, file: str, text: str) -> Iterator[str]:
        """The lines that a piece completes."""
        *lines, self._torn[file] = (self._torn.get(file, "") + text).split("\n")
        return (f"{file}: {line}" for line in lines)

    def rest(self) -> Iterator[str]:
        """The last lines of files that do not end with a newline."""
        return (f"{file}: {text}" for file, text in self._torn.items() if text)
