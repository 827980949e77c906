"""Enumerations: Python's here, prefixed numbers on the wire."""

from __future__ import annotations

from enum import Enum
from functools import cache
from typing import Any, TypeVar

from agi_env.errors import RequestInvalidError

E = TypeVar("E", bound=Enum)


@cache
def enum_to_wire(wire: Any, member: Enum) -> Any:
    """The number of a member in a generated enum, such as ``Run.State``."""
    return wire.Value(f"{_prefix(wire)}{member.name}")


def enum_from_wire(kind: type[E], wire: Any, number: int) -> E:
    """The member with a number of a generated enum.

    Raises:
        RequestInvalidError: The number is unspecified, or of a newer version.
    """
    known = wire.DESCRIPTOR.values_by_number.get(number)
    if known is not None and number:
        return kind[known.name.removeprefix(_prefix(wire))]
    raise RequestInvalidError(
        f"{number} is not a known {wire.DESCRIPTOR.full_name}",
        remedy=f"Give one of {', '.join(member.name for member in kind)}",
    )


def _prefix(wire: Any) -> str:
    first: str = wire.DESCRIPTOR.values_by_number[0].name
    return first.removesuffix("UNSPECIFIED")
