"""Changing single keys of a TOML text so that everything else stays as it is."""

from __future__ import annotations

import json
import tomllib
from collections.abc import Callable, Iterable, Mapping
from typing import Any

import tomlkit
from tomlkit.exceptions import TOMLKitError

from agi_env.errors import NotFoundError, RefusedError, SettingsInvalidError
from agi_env.settings_change import SettingChange
from agi_env.settings_schema import WORKERS, Key, dotted
from agi_env.toml_lines import section_ends


def edited(text: str, changes: Iterable[SettingChange]) -> str:
    """The text with these keys changed; comments, order and all other keys stay.

    Each result is read back with the strict parser and counts only when it holds exactly the old
    values with the change.

    Args:
        text: Valid TOML.
        changes: What to change, one after another.

    Raises:
        NotFoundError: A key to remove is not there.
        SettingsInvalidError: A key leads through something that is not a table.
        RefusedError: The text is laid out such that this cannot be done without harm.
    """
    for change in changes:
        text = _changed(text, change)
    return text


def _changed(text: str, change: SettingChange) -> str:
    data = tomllib.loads(text)
    found = _depth(data, change)
    if change.key in section_ends(text) and isinstance(_value(change), dict):
        return edited(text, _key_by_key(data, change))
    present = found == len(change.key)
    if change.text is None and not present:
        raise NotFoundError(
            f"{change.name} is not set", remedy="`agi settings show APP` shows the keys"
        )
    wanted = _canonical(_applied(data, change))
    ways = (_restyled,) if present else (_with_line, _with_section, _restyled)
    for way in ways:
        result = _attempt(way, text, change, found)
        if result is not None and _reads_as(result, wanted):
            return result
    raise RefusedError(
        f"{change.name} cannot be changed here without touching other keys",
        remedy="Change it in the file itself; `agi settings show APP` names the file",
    )


def _key_by_key(data: dict[str, Any], change: SettingChange) -> list[SettingChange]:
    """The change of a whole section, such that it and its comments stay where they are."""
    section: Any = data
    for name in change.key:
        section = section[name]
    wanted: Any = tomlkit.parse(f"value = {change.toml}\n")["value"]
    gone = [SettingChange((*change.key, key), None) for key in section if key not in wanted]
    put = [SettingChange((*change.key, key), item.as_string()) for key, item in wanted.items()]
    return [*put, *gone]


def _depth(data: Mapping[str, Any], change: SettingChange) -> int:
    """How many names of the key are there already."""
    table: Any = data
    for depth, name in enumerate(change.key):
        if not isinstance(table, Mapping):
            raise SettingsInvalidError(f"{dotted(change.key[:depth])} is not a table")
        if name not in table:
            return depth
        table = table[name]
    return len(change.key)


def _applied(data: dict[str, Any], change: SettingChange) -> dict[str, Any]:
    table = data
    for name in change.key[:-1]:
        table = table.setdefault(name, {})
    if change.text is None:
        del table[change.key[-1]]
    else:
        table[change.key[-1]] = _value(change)
    return data


_Way = Callable[[str, SettingChange, int], str | None]


def _attempt(way: _Way, text: str, change: SettingChange, found: int) -> str | None:
    try:
        return way(text, change, found)
    except TOMLKitError:
        # tomlkit refuses some layouts that are valid TOML; another way may do.
        return None


def _with_line(text: str, change: SettingChange, found: int) -> str | None:
    """A new line below the last one of its section, above comments that lead to the next."""
    end = section_ends(text).get(change.key[:found])
    if end is None or found < len(_section(change.key)):
        return None
    stop = text.find("\n", end)
    head = text if stop < 0 else text[: stop + 1]
    newline = _newline(text)
    gap = newline if stop < 0 else ""
    return f"{head}{gap}{_assignment(change, found)}{newline}{text[len(head) :]}"


def _with_section(text: str, change: SettingChange, found: int) -> str:
    """A new section at the end."""
    section, newline = _section(change.key), _newline(text)
    if text:
        text += newline if text.endswith("\n") else newline * 2
    return f"{text}[{dotted(section)}]{newline}{_assignment(change, len(section))}{newline}"


def _restyled(text: str, change: SettingChange, found: int) -> str:
    document = tomlkit.parse(text)
    table: Any = document
    for name in change.key[:-1]:
        if name not in table:
            table[name] = tomlkit.inline_table()
        table = table[name]
    if change.text is None:
        del table[change.key[-1]]
    else:
        table[change.key[-1]] = tomlkit.parse(f"value = {change.toml}\n")["value"]
    return tomlkit.dumps(document)


def _section(key: Key) -> Key:
    """The section that a person would expect to find the key in."""
    return WORKERS if key[:2] == WORKERS and len(key) > 2 else key[:1]


def _assignment(change: SettingChange, depth: int) -> str:
    """The key from this depth on and its value, as a line."""
    name, *inner = change.key[depth:]
    value = change.toml
    for part in reversed(inner):
        value = f"{{{dotted((part,))} = {value}}}"
    return f"{dotted((name,))} = {value}"


def _newline(text: str) -> str:
    return "\r\n" if "\r\n" in text else "\n"


def _value(change: SettingChange) -> Any:
    if change.text is None:
        return None
    return tomllib.loads(f"value = {change.toml}")["value"]


def _reads_as(text: str, wanted: str) -> bool:
    try:
        return _canonical(tomllib.loads(text)) == wanted
    except ValueError:
        return False


def _canonical(data: object) -> str:
    # NaN differs from itself and dates are no JSON: their texts are what has to be equal.
    return json.dumps(data, sort_keys=True, default=repr)
