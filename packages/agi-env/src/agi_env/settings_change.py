"""One key of the settings to set or to remove, as a person writes it."""

from __future__ import annotations

import difflib
import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

from agi_env.errors import SettingsInvalidError
from agi_env.settings_schema import FOREIGN_KEYS, RULES, WORKERS, Key, dotted, is_json, quoted
from agi_env.slip import meant
from agi_env.toml_lines import split_key

_WORKERS_PREFIX = "cluster.workers."
_TEXT_KEYS = frozenset({("cluster", "scheduler"), ("cluster", "user")})
_OUR_TABLES = ("args", "cluster")
_OUR_ARGUMENTS = ("data_in", "data_out")


@dataclass(frozen=True, slots=True)
class SettingChange:
    """A key and its new value."""

    key: Key
    text: str | None
    """The value as TOML, or plain text that is taken as a string; None removes the key."""

    @classmethod
    def set(cls, key: str, value: str) -> Self:
        """Set a key.

        Args:
            key: Dotted: ``cluster.pool``, ``args."file name"``. A host may be written as it is:
                ``cluster.workers.192.168.1.21``.
            value: TOML such as ``true``, ``4`` or ``"text"``; whatever is not TOML, and a date,
                is a string.

        Raises:
            SettingsInvalidError: This is no key, or it is so like a known one that it must be a
                slip.
        """
        return cls(_known(parse_key(key)), value)

    @classmethod
    def unset(cls, key: str) -> Self:
        """Remove a key.

        Raises:
            SettingsInvalidError: This is no key.
        """
        return cls(parse_key(key), None)

    @classmethod
    def parse(cls, assignment: str) -> Self:
        """Set what ``key=value`` says.

        Raises:
            SettingsInvalidError: There is no ``=``, or what is before it is no key.
        """
        key, equals, value = assignment.partition("=")
        if not equals:
            raise SettingsInvalidError(f"{assignment!r} has no value", remedy="Give KEY=VALUE")
        return cls.set(key, value)

    @property
    def name(self) -> str:
        """The dotted key."""
        return dotted(self.key)

    @property
    def toml(self) -> str:
        """The value in TOML. Only for a change that sets."""
        text = self.text or ""
        values = _values(text)
        as_it_is = len(values) == 1 and is_json(values)
        if as_it_is and (self.key not in _TEXT_KEYS or isinstance(values["value"], str)):
            return text.strip()
        return quoted(text)


def parse_key(text: str) -> Key:
    """The names in a dotted key; after ``cluster.workers.`` the rest is one host's name.

    Raises:
        SettingsInvalidError: This is no key, or it names no value inside a table.
    """
    stripped = text.strip()
    host = stripped.removeprefix(_WORKERS_PREFIX)
    if host != stripped and host and host[0] not in "\"'":
        return (*WORKERS, host)
    try:
        key = split_key(stripped)
    except ValueError as error:
        raise _no_key(text) from error
    if len(key) < 2:
        raise _no_key(text)
    return key


def refuse_slips(data: Mapping[str, Any], changes: Iterable[SettingChange], path: Path) -> None:
    """Refuse to begin a table that must be a slip of one of ours, or an argument of one there.

    Args:
        data: The settings as they are.
        changes: What to change.
        path: The file of the settings.

    Raises:
        SettingsInvalidError: There is such a change.
    """
    for change in changes:
        if change.text is None:
            continue
        table, *inner = change.key
        likely = meant(table, _OUR_TABLES)
        if likely and table not in data:
            raise _slip(change.key, (likely, *inner), path)
        args = data.get("args")
        if table == "args" and isinstance(args, Mapping):
            refuse_argument_slips((inner[0],), args, path)


def refuse_argument_slips(given: Iterable[str], args: Iterable[str], path: Path) -> None:
    """Refuse arguments that must be slips of those that the settings have.

    Args:
        given: Names of arguments.
        args: The names in the settings.
        path: The file of the settings.

    Raises:
        SettingsInvalidError: There is such an argument.
    """
    known = [*args, *_OUR_ARGUMENTS]
    for name in given:
        likely = meant(name, known)
        if likely:
            raise _slip(("args", name), ("args", likely), path)


def _slip(key: Key, likely: Key, path: Path) -> SettingsInvalidError:
    return SettingsInvalidError(
        f"{dotted(key)} is not in the settings, and {dotted(likely)} is very like it",
        remedy=f"Say {dotted(likely)}, if that is what is meant; if not, write {dotted(key)} into"
        f" {path} yourself",
        metadata={"key": dotted(key)},
    )


def _no_key(text: str) -> SettingsInvalidError:
    return SettingsInvalidError(
        f"{text.strip()!r} is no key",
        remedy="Give a table and a key, such as cluster.pool, args.nfile or cluster.workers.HOST",
    )


def _known(key: Key) -> Key:
    known = {*RULES, *FOREIGN_KEYS, "workers"}
    if key[0] != "cluster" or key[1] in known:
        return key
    likely = difflib.get_close_matches(key[1], RULES, n=1, cutoff=0.8)
    if likely:
        raise SettingsInvalidError(
            f"{dotted(key)} is not a key that means anything",
            remedy=f"Say cluster.{likely[0]}, if that is what is meant",
            metadata={"key": dotted(key)},
        )
    return key


def _values(text: str) -> dict[str, object]:
    try:
        return tomllib.loads(f"value = {text}")
    except (ValueError, RecursionError):  # not TOML, or a number of thousands of digits
        return {}
