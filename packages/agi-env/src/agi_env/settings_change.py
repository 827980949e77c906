"""One key of the settings to set or to remove, as a person writes it."""

from __future__ import annotations

import difflib
import tomllib
from dataclasses import dataclass
from typing import Self

from agi_env.errors import SettingsInvalidError
from agi_env.settings_schema import FOREIGN_KEYS, RULES, WORKERS, Key, dotted, is_json, quoted
from agi_env.toml_lines import split_key

_WORKERS_PREFIX = "cluster.workers."
_TEXT_KEYS = frozenset({("cluster", "scheduler"), ("cluster", "user")})


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
