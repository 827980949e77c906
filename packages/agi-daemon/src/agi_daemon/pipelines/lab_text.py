"""A file of steps as text: where each step's lines are, and how a step is written."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from attrs import frozen

from agi_env.settings_schema import dotted, quoted
from agi_env.toml_lines import KeyPath, headers, section_ends


@frozen
class Span:
    """The lines of one step: from the comments directly above it to those of what follows."""

    start: int
    end: int


def spans(text: str, module: str) -> list[Span]:
    """The lines of each step that is a ``[[table]]``, in the order of the list."""
    found = headers(text)
    starts = _starts(text, found)
    ends = [*starts, len(text)][1:]
    result: dict[int, Span] = {}
    for (path, _), start, end in zip(found, starts, ends, strict=True):
        if path[0] != module or len(path) < 2 or not isinstance(path[1], int):
            continue
        known = result.get(path[1])
        result[path[1]] = Span(known.start if known else start, end)
    return [result[index] for index in sorted(result)]


def start_of(text: str, table: str) -> int:
    """Where the lines of a table begin; the end of the text where it has no header."""
    found = headers(text)
    starts = zip(found, _starts(text, found), strict=True)
    return next((start for (path, _), start in starts if path == (table,)), len(text))


def inserted(text: str, at: int, block: str) -> str:
    """The text with a block of lines at an offset, a blank line around it."""
    eol = newline(text)
    before, after = text[:at].rstrip("\r\n"), text[at:].lstrip("\r\n")
    block = block if eol == "\n" else block.replace("\r\n", "\n").replace("\n", eol)
    parts = [part for part in (before, block.rstrip("\r\n"), after) if part.strip()]
    joined = (eol * 2).join(parts)
    return joined if joined.endswith("\n") else joined + eol


def block(module: str, row: Mapping[str, Any]) -> str:
    """A step as lines."""
    lines = [line(key, each) for key, each in row.items()]
    return "\n".join([f"[[{dotted((module,))}]]", *lines])


def line(key: str, item: Any) -> str:
    """A key and its value."""
    return f"{dotted((key,))} = {value(item)}"


def value(item: Any) -> str:
    """A value as TOML; a text of several lines is written as such where that is possible.

    Raises:
        ValueError: It is none that TOML has.
    """
    match item:
        case bool():
            return str(item).lower()
        case str():
            return _literal(item) or quoted(item)
        case int():
            return str(item)
        case float() if math.isfinite(item):
            return repr(item)
        case Mapping():
            return "{ " + ", ".join(line(key, each) for key, each in item.items()) + " }"
        case Sequence():
            return "[" + ", ".join(map(value, item)) + "]"
    raise ValueError(f"{item!r} is no value of TOML")


def newline(text: str) -> str:
    """How the text ends its lines."""
    return "\r\n" if "\r\n" in text else "\n"


def _literal(text: str) -> str:
    """A text of several lines between ``'''``; empty where it cannot be."""
    plain = all(each.isprintable() or each in "\n\t" for each in text)
    if "\n" not in text or not plain or "'''" in text or text.endswith("'"):
        return ""
    return f"'''\n{text}'''"


def _starts(text: str, found: Sequence[tuple[KeyPath, int]]) -> list[int]:
    """Where the lines of each header begin, the comments directly above it among them."""
    ends = section_ends(text)
    before = [(), *(path for path, _ in found)]
    return [
        _with_comments(text, offset, ends.get(path, 0))
        for (_, offset), path in zip(found, before, strict=False)
    ]


def _with_comments(text: str, offset: int, bound: int) -> int:
    """The start of the line of an offset, or of the comments directly above it.

    What lies before the bound belongs to a value. Comments at the head of the file are the file's.
    """
    start = own = text.rfind("\n", 0, offset) + 1
    while start > 0:
        above = text.rfind("\n", 0, start - 1) + 1
        if above < bound or not text[above:start].lstrip().startswith("#"):
            return start
        start = above
    return own
