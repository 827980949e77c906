"""Edits of a file of steps that leave every other byte as it is.

Each edit is made on the text, and its result is read back with the strict parser: it counts only
when it holds exactly the old values with the change.
"""

from __future__ import annotations

import json
import tomllib
from abc import abstractmethod
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from copy import deepcopy
from typing import Any, Protocol

import tomlkit
from attrs import frozen
from tomlkit.exceptions import TOMLKitError

from agi_daemon.pipelines import lab_text
from agi_daemon.pipelines.lab_steps import META
from agi_env.errors import AgiError, RefusedError
from agi_env.settings_change import SettingChange
from agi_env.settings_edit import edited as with_settings
from agi_env.toml_lines import section_ends


class Change(Protocol):
    """One change of the list of steps under a key."""

    @property
    def module(self) -> str:
        """The key."""
        ...

    @abstractmethod
    def apply(self, data: dict[str, Any]) -> None:
        """Make the change in the data."""

    @abstractmethod
    def in_tables(self, text: str) -> str:
        """The text with the change, where each step is a ``[[table]]``."""

    @abstractmethod
    def in_array(self, document: Any) -> None:
        """Make the change in a parsed document, where the steps are an inline array."""


Edit = Sequence[Change]


def edited(text: str, edit: Edit, *, where: str = "") -> str:
    """The text with these changes, one after another.

    Args:
        text: Valid TOML.
        edit: The changes.
        where: The file, for a message.

    Raises:
        RefusedError: The text is laid out such that this cannot be done without harm.
    """
    for change in edit:
        data = tomllib.loads(text)
        expected = deepcopy(data)
        change.apply(expected)
        result = _attempt(change, text, isinstance(data.get(change.module), list))
        if result is None or not _is_exact(change, text, result, expected):
            raise RefusedError(
                "this cannot be changed without touching something else",
                where=where,
                remedy="Change it in the file itself",
            )
        text = result
    return text


@frozen(kw_only=True)
class Append:
    """A new step after all others."""

    module: str
    row: Mapping[str, Any]

    def apply(self, data: dict[str, Any]) -> None:
        """Make the change in the data."""
        data.setdefault(self.module, []).append(dict(self.row))

    def in_tables(self, text: str) -> str:
        """A block of lines after the last step, or before ``[__meta__]``, or at the end."""
        spans = lab_text.spans(text, self.module)
        at = spans[-1].end if spans else lab_text.start_of(text, META)
        return lab_text.inserted(text, at, lab_text.block(self.module, self.row))

    def in_array(self, document: Any) -> None:
        """Append an inline table."""
        document[self.module].append(_item(dict(self.row)))


@frozen(kw_only=True)
class Update:
    """New values of some keys of a step."""

    module: str
    index: int
    values: Mapping[str, Any]

    def apply(self, data: dict[str, Any]) -> None:
        """Make the change in the data."""
        data[self.module][self.index].update(self.values)

    def in_tables(self, text: str) -> str:
        """The step alone is parsed anew; keys that it lacks become lines at its end."""
        span = lab_text.spans(text, self.module)[self.index]
        block = text[span.start : span.end]
        document: Any = tomlkit.parse(block)
        row = document[self.module][0]
        missing = {key: value for key, value in self.values.items() if key not in row}
        for key, value in self.values.items():
            if key in row:
                row[key] = _item(value)
        block = _with_lines(tomlkit.dumps(document), self.module, missing)
        return text[: span.start] + block + text[span.end :]

    def in_array(self, document: Any) -> None:
        """Set the keys of an inline table."""
        for key, value in self.values.items():
            document[self.module][self.index][key] = _item(value)


@frozen(kw_only=True)
class Remove:
    """A step goes, with the comments in it and directly above it."""

    module: str
    index: int

    def apply(self, data: dict[str, Any]) -> None:
        """Make the change in the data."""
        del data[self.module][self.index]

    def in_tables(self, text: str) -> str:
        """Cut its lines out."""
        span = lab_text.spans(text, self.module)[self.index]
        return text[: span.start] + text[span.end :]

    def in_array(self, document: Any) -> None:
        """Remove an element."""
        del document[self.module][self.index]


@frozen(kw_only=True)
class Move:
    """A step takes another place in the list."""

    module: str
    index: int
    to: int

    def apply(self, data: dict[str, Any]) -> None:
        """Make the change in the data."""
        rows = data[self.module]
        rows.insert(self.to, rows.pop(self.index))

    def in_tables(self, text: str) -> str:
        """Cut its lines out and put them in again."""
        span = lab_text.spans(text, self.module)[self.index]
        block = text[span.start : span.end]
        rest = text[: span.start] + text[span.end :]
        others = lab_text.spans(rest, self.module)
        at = others[self.to].start if self.to < len(others) else others[-1].end
        return lab_text.inserted(rest, at, block.rstrip("\r\n"))

    def in_array(self, document: Any) -> None:
        """Take an element out and put it in again."""
        rows = document[self.module]
        rows.insert(self.to, rows.pop(self.index))


@frozen(kw_only=True)
class Order:
    """The sequence in which the steps run, by their places in the list."""

    module: str
    sequence: tuple[int, ...]

    def apply(self, data: dict[str, Any]) -> None:
        """Make the change in the data."""
        data.setdefault(META, {})[self._key] = list(self.sequence)

    def in_tables(self, text: str) -> str:
        """Set the one key."""
        change = SettingChange((META, self._key), json.dumps(list(self.sequence)))
        return with_settings(text, [change])

    def in_array(self, document: Any) -> None:
        """Set the one key."""
        document[META][self._key] = list(self.sequence)

    @property
    def _key(self) -> str:
        return f"{self.module}__sequence"


def _is_exact(change: Change, text: str, result: str, expected: Mapping[str, Any]) -> bool:
    """Whether the result is the text with the change and nothing else."""
    if not _reads_as(result, expected):
        return False
    # What looks like a comment may be a line of the code that an update replaces.
    return isinstance(change, Remove | Update) or not _lost_comments(text, result)


def _attempt(change: Change, text: str, is_there: bool) -> str | None:
    in_tables = not is_there or bool(lab_text.spans(text, change.module))
    way = change.in_tables if in_tables else _through(change.in_array)
    try:
        return way(text)
    except (TOMLKitError, AgiError, LookupError, TypeError, ValueError):
        # tomlkit refuses, or stumbles over, some layouts that are valid TOML.
        return None


def _through(act: Callable[[Any], None]) -> Callable[[str], str]:
    def way(text: str) -> str:
        document = tomlkit.parse(text)
        act(document)
        return tomlkit.dumps(document)

    return way


def _item(value: Any) -> Any:
    parsed: Any = tomlkit.parse(f"value = {lab_text.value(value)}\n")
    return parsed["value"]


def _with_lines(block: str, module: str, values: Mapping[str, Any]) -> str:
    if not values:
        return block
    end = section_ends(block)[(module, 0)]
    newline = lab_text.newline(block)
    lines = "".join(f"{newline}{lab_text.line(key, each)}" for key, each in values.items())
    stop = block.find("\n", end)
    stop = len(block) if stop < 0 else stop - (block[stop - 1] == "\r")
    return block[:stop] + lines + (block[stop:] or newline)


def _reads_as(text: str, expected: Mapping[str, Any]) -> bool:
    wanted = {key: value for key, value in expected.items() if value != []}
    try:
        found = {key: value for key, value in tomllib.loads(text).items() if value != []}
    except ValueError:
        return False
    return _canonical(found) == _canonical(wanted)


def _canonical(data: object) -> str:
    # NaN differs from itself and dates are no JSON: their texts are what has to be equal.
    return json.dumps(data, sort_keys=True, default=repr)


def _lost_comments(before: str, after: str) -> bool:
    """A comment on a line of its own is gone."""
    left = _comments(after)
    return any(left.count(line) < count for line, count in Counter(_comments(before)).items())


def _comments(text: str) -> list[str]:
    return [line.strip() for line in text.splitlines() if line.strip().startswith("#")]
