"""JSON values: Python's own here, ``google.protobuf.Struct`` and ``Value`` on the wire.

``Value`` has no integers, only doubles. What was sent as an integer comes back as one as long as
a double holds it exactly, below 2**53 in magnitude; so a float without a fraction, such as 2.0,
comes back as the integer 2.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any

from google.protobuf.struct_pb2 import NULL_VALUE, ListValue, Struct, Value

from agi_env.errors import RequestInvalidError

EXACT = 2**53
"""From here on a double skips integers."""


def value_to_wire(value: Any, *, where: str = "value") -> Value:
    """A JSON value as a message.

    Integers that a double cannot hold exactly are rounded; `exact_to_wire` refuses them.

    Args:
        value: None, a bool, number, text, or a list or dictionary of such.
        where: What the value is called in an error.

    Raises:
        RequestInvalidError: Something in it is not JSON; the message says where.
    """
    return _Writer(exact=False).value(value, where)


def exact_to_wire(values: Mapping[str, Any], *, where: str) -> Struct:
    """A JSON object as a message, refusing every number that would not arrive as it is.

    Raises:
        RequestInvalidError: Something in it is not JSON, or an integer is too large.
    """
    return _Writer(exact=True).struct(values, where)


def struct_to_wire(values: Mapping[str, Any], *, where: str = "value") -> Struct:
    """A JSON object as a message; see `value_to_wire`."""
    return _Writer(exact=False).struct(values, where)


def value_from_wire(value: Value) -> Any:
    """The JSON value in a message; an empty message is None."""
    kind = value.WhichOneof("kind")
    return None if kind is None else _READERS[kind](value)


def struct_from_wire(struct: Struct) -> dict[str, Any]:
    """The JSON object in a message, its keys in alphabetical order: on the wire they have none."""
    return {key: value_from_wire(struct.fields[key]) for key in sorted(struct.fields)}


class _Writer:
    """Walks through a value and remembers only what to do with large integers."""

    def __init__(self, *, exact: bool) -> None:
        self._exact = exact

    def struct(self, values: Mapping[str, Any], where: str) -> Struct:
        for key in values:
            if not isinstance(key, str):
                raise RequestInvalidError(f"the key {key!r} is no text", where=where)
        return Struct(fields={k: self.value(v, f"{where}.{k}") for k, v in values.items()})

    def value(self, value: Any, where: str) -> Value:
        match value:
            case None:
                return Value(null_value=NULL_VALUE)
            case bool():
                return Value(bool_value=value)
            case int() | float():
                return Value(number_value=self._number(value, where))
            case str():
                return Value(string_value=_unicode(value, where))
            case Mapping():
                return Value(struct_value=self.struct(value, where))
            case list() | tuple():
                items = [self.value(item, f"{where}[{i}]") for i, item in enumerate(value)]
                return Value(list_value=ListValue(values=items))
        raise RequestInvalidError(f"a {type(value).__name__} is not JSON", where=where)

    def _number(self, value: float, where: str) -> float:
        if isinstance(value, int) and self._exact and abs(value) >= EXACT:
            raise RequestInvalidError(
                f"{value} is too large to arrive exactly", where=where, remedy="Give it as text"
            )
        try:
            number = float(value)
        except OverflowError:
            number = math.inf
        if not math.isfinite(number):
            raise RequestInvalidError(f"{number} is not JSON", where=where)
        return number


def _unicode(text: str, where: str) -> str:
    try:
        text.encode()
    except UnicodeEncodeError as error:
        raise RequestInvalidError(f"{text!r} is not Unicode", where=where) from error
    return text


def _number(value: Value) -> int | float:
    number = value.number_value
    return int(number) if number.is_integer() and abs(number) < EXACT else number


_READERS: dict[str, Callable[[Value], Any]] = {
    "null_value": lambda value: None,
    "bool_value": lambda value: value.bool_value,
    "number_value": _number,
    "string_value": lambda value: value.string_value,
    "struct_value": lambda value: struct_from_wire(value.struct_value),
    "list_value": lambda value: [value_from_wire(item) for item in value.list_value.values],
}
