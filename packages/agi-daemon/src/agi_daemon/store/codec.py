"""Domain values as JSON text for the store, and back."""

from __future__ import annotations

import json
from datetime import datetime
from typing import Any, TypeVar

from cattrs import Converter

from agi_env.errors import AgiError, error_from
from agi_env.mode import Mode

Value = TypeVar("Value")


def _converter() -> Converter:
    # Where in a value something is wrong is for input from outside; without it, a value that we
    # wrote ourselves is read in two thirds of the time.
    converter = Converter(detailed_validation=False)
    converter.register_unstructure_hook(datetime, datetime.isoformat)
    converter.register_structure_hook(datetime, lambda text, _: datetime.fromisoformat(text))
    converter.register_unstructure_hook(Mode, int)
    converter.register_structure_hook(Mode, lambda number, _: Mode(number))
    converter.register_unstructure_hook_func(_is_error, _error_out)
    converter.register_structure_hook_func(_is_error, _error_in)
    return converter


def _is_error(cls: Any) -> bool:
    return isinstance(cls, type) and issubclass(cls, AgiError)


def _error_out(error: AgiError) -> dict[str, Any]:
    return {"code": error.code, "metadata": error.to_metadata()}


def _error_in(data: dict[str, Any], _: Any) -> AgiError:
    return error_from(data["code"], data["metadata"])


_CONVERTER = _converter()


def dump(value: Any) -> str:
    """The value as compact JSON."""
    return compact(plain(value))


def plain(value: Any) -> Any:
    """The value as what JSON has: dictionaries, lists, text, numbers."""
    return _CONVERTER.unstructure(value)


def compact(data: Any) -> str:
    """Plain data as JSON without spaces."""
    return json.dumps(data, separators=(",", ":"), ensure_ascii=False)


def canonical(value: object) -> str:
    """The value as JSON in which equal values have equal text, whatever the order of their keys."""
    return json.dumps(plain(value), sort_keys=True)


def load(text: str, cls: type[Value]) -> Value:
    """The value of this class that ``dump`` wrote."""
    return structured(json.loads(text), cls)


def structured(data: Any, cls: type[Value]) -> Value:
    """The value of this class that ``plain`` took apart."""
    return _CONVERTER.structure(data, cls)
