"""Where the keys of a TOML text stand, which neither tomllib nor tomlkit tells.

The reader below follows the grammar of TOML 1.0 (https://toml.io/en/v1.0.0) only as far as it
takes to step from key to key: it is given texts that a real parser has accepted.
"""

from __future__ import annotations

import re
import tomllib

KeyPath = tuple[str | int, ...]
"""The names that lead to a value; a number counts the elements of an array of tables, from 0."""

_BLANK = re.compile(r"(?:[ \t\r\n]|#[^\n]*)*")
_SPACE = re.compile(r"[ \t]*")
_PART = re.compile(r"""[A-Za-z0-9_-]+|"(?:[^"\\\n]|\\.)*"|'[^'\n]*'""")
_DOT = re.compile(r"[ \t]*\.[ \t]*")
_QUOTED = (
    r'"""(?:[^\\]|\\.)*?"{3,5}'
    r"|'''.*?'{3,5}"
    r'|"(?:[^"\\\n]|\\.)*"'
    r"|'[^'\n]*'"
)
_STRING = re.compile(_QUOTED, re.DOTALL)
_SCALAR = re.compile(r"[^,\]}#\n]*")
_ARRAY_PIECE = re.compile(rf"{_QUOTED}|#[^\n]*|[\[\]{{}}]|[^\"'#\[\]{{}}]+", re.DOTALL)


def line_of(text: str, key: KeyPath) -> int:
    """The line of a key, from 1; of the innermost table around it when it is not written.

    Args:
        text: A text that a TOML parser accepts.
        key: Where the value is, such as ``("cluster", "workers", "192.168.1.21")``.
    """
    lines = key_lines(text)
    while key and key not in lines:
        key = key[:-1]
    return lines.get(key, 1)


def key_lines(text: str) -> dict[KeyPath, int]:
    """The line on which each key and each table first appears.

    Raises:
        ValueError: The text is not TOML.
    """
    reader = _Reader(text)
    reader.read()
    return reader.lines


def section_ends(text: str) -> dict[KeyPath, int]:
    """Where the last value of each ``[section]`` ends, or its header if it has none: an offset.

    Raises:
        ValueError: The text is not TOML.
    """
    reader = _Reader(text)
    reader.read()
    return reader.sections


def headers(text: str) -> list[tuple[KeyPath, int]]:
    """Each ``[section]`` and each element of an array of tables, with the offset of its ``[``.

    Raises:
        ValueError: The text is not TOML.
    """
    reader = _Reader(text)
    reader.read()
    return reader.headers


def split_key(text: str) -> tuple[str, ...]:
    """The parts of a dotted key: ``a."b.c"`` is ``("a", "b.c")``.

    Raises:
        ValueError: This is no key of TOML.
    """
    reader = _Reader(text.strip())
    parts = reader.key()
    if not reader.ended:
        raise ValueError(f"{text!r} is no key")
    return parts


class _Reader:
    """A cursor that steps through a TOML text and notes where keys begin."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.at = 0
        self.lines: dict[KeyPath, int] = {}
        self.sections: dict[KeyPath, int] = {}
        self.headers: list[tuple[KeyPath, int]] = []
        self._elements: dict[KeyPath, int] = {}

    @property
    def ended(self) -> bool:
        return self.at >= len(self.text)

    def read(self) -> None:
        table: KeyPath = ()
        self._take(_BLANK)
        while not self.ended:
            if self.text[self.at] == "[":
                table = self._header()
            else:
                self._pair(table)
            self.sections[table] = self.at
            self._take(_BLANK)

    def key(self) -> tuple[str, ...]:
        parts = [_unquoted(self._take(_PART))]
        while _DOT.match(self.text, self.at):
            self._take(_DOT)
            parts.append(_unquoted(self._take(_PART)))
        return tuple(parts)

    def _header(self) -> KeyPath:
        start, brackets = self.at, 2 if self.text.startswith("[[", self.at) else 1
        self.at += brackets
        self._take(_SPACE)
        parts = self.key()
        self._take(_SPACE)
        self.at += brackets
        path = self._table(parts, start)
        if brackets == 2:
            self._elements[path] = self._elements.get(path, -1) + 1
            path = self._element(path)
            self.lines[path] = self._line(start)
        path = path if brackets == 2 else self._element(path)
        self.headers.append((path, start))
        return path

    def _table(self, parts: tuple[str, ...], start: int) -> KeyPath:
        path: KeyPath = ()
        for part in parts:
            path = (*self._element(path), part)
            self.lines.setdefault(path, self._line(start))
        return path

    def _element(self, path: KeyPath) -> KeyPath:
        return (*path, self._elements[path]) if path in self._elements else path

    def _pair(self, table: KeyPath) -> None:
        line, path = self._line(self.at), table
        for part in self.key():
            path = (*path, part)
            self.lines.setdefault(path, line)
        self._take(_SPACE)
        self.at += 1
        self._take(_SPACE)
        self._value(path)

    def _value(self, path: KeyPath) -> None:
        first = self.text[self.at : self.at + 1]
        if first == "{":
            self._inline_table(path)
        elif first == "[":
            self._skip_array()
        else:
            self._take(_STRING if first in ('"', "'") else _SCALAR)

    def _inline_table(self, path: KeyPath) -> None:
        self.at += 1
        self._take(_BLANK)
        while self.text[self.at : self.at + 1] != "}":
            self._pair(path)
            self._take(_BLANK)
            if self.text[self.at : self.at + 1] == ",":
                self.at += 1
                self._take(_BLANK)
        self.at += 1

    def _skip_array(self) -> None:
        depth = 0
        while True:
            piece = self._take(_ARRAY_PIECE)
            depth += (piece in ("[", "{")) - (piece in ("]", "}"))
            if depth == 0:
                return

    def _take(self, pattern: re.Pattern[str]) -> str:
        match = pattern.match(self.text, self.at)
        if match is None:
            raise ValueError(f"line {self._line(self.at)} is not TOML")
        self.at = match.end()
        return match.group()

    def _line(self, at: int) -> int:
        return self.text.count("\n", 0, at) + 1


def _unquoted(part: str) -> str:
    if part[0] == "'":
        return part[1:-1]
    return str(tomllib.loads(f"k = {part}")["k"]) if part[0] == '"' else part
