"""A TOML text, its values, and the line of whatever is wrong with it."""

from __future__ import annotations

import re
import tomllib
from dataclasses import dataclass
from typing import Any, Self

from agi_env.toml_lines import KeyPath, line_of

_PLACE = re.compile(r" \(at line (\d+), (column \d+)\)$")


class TomlError(ValueError):
    """A text that is not TOML: what is wrong, and on which line, from 1."""

    def __init__(self, reason: str, line: int) -> None:
        super().__init__(f"line {line}: {reason}")
        self.reason = reason
        self.line = line


@dataclass(frozen=True, slots=True)
class TomlText:
    """A text that was read as TOML."""

    text: str
    data: dict[str, Any]

    @classmethod
    def parse(cls, content: bytes) -> Self:
        """Read the bytes of a TOML file.

        Raises:
            TomlError: They are not UTF-8 or not TOML.
        """
        text = _decoded(content)
        try:
            return cls(text, tomllib.loads(text))
        except tomllib.TOMLDecodeError as error:
            raise _located(error, text) from error
        except ValueError as error:  # Python's own limit, which says no line
            raise TomlError("a number has too many digits", 1) from error
        except RecursionError as error:
            raise TomlError("values are nested too deeply", 1) from error

    def line_of(self, key: KeyPath) -> int:
        """The line of a key, or of the innermost table around it that is written."""
        return line_of(self.text, key)


def _decoded(content: bytes) -> str:
    try:
        return content.decode()
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise TomlError(f"byte {content[error.start]:#04x} is not UTF-8", line) from error


def _located(error: tomllib.TOMLDecodeError, text: str) -> TomlError:
    message = str(error)
    place = _PLACE.search(message)
    if place is None:
        return TomlError(message, text.rstrip("\n").count("\n") + 1)
    return TomlError(f"{message[: place.start()]} at {place.group(2)}", int(place.group(1)))
