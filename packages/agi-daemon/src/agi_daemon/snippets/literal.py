"""Values as Python source, laid out as the usual formatters would."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

_WIDTH = 88


def literal(value: object, indent: int = 0, used: int = 0) -> str:
    """The source of a JSON-like value.

    Args:
        value: None, a bool, number, text, list or dictionary with text keys.
        indent: The column at which the statement begins.
        used: Characters that stand before and after it on its line.
    """
    flat = _flat(value)
    if indent + used + len(flat) <= _WIDTH:
        return flat
    inner = " " * (indent + 4)
    if isinstance(value, Mapping) and value:
        rows = [
            f"{inner}{_text(str(key))}: {literal(item, indent + 4, len(_text(str(key))) + 3)},\n"
            for key, item in value.items()
        ]
        return "{\n" + "".join(rows) + " " * indent + "}"
    if isinstance(value, Sequence) and not isinstance(value, str) and value:
        rows = [f"{inner}{literal(item, indent + 4, 1)},\n" for item in value]
        return "[\n" + "".join(rows) + " " * indent + "]"
    return flat


def _flat(value: object) -> str:
    if isinstance(value, str):
        return _text(value)
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{_text(str(k))}: {_flat(v)}" for k, v in value.items()) + "}"
    if isinstance(value, Sequence):
        return "[" + ", ".join(map(_flat, value)) + "]"
    return repr(value)


def _text(text: str) -> str:
    """A string literal in the quotes that need fewer escapes, double ones when in doubt."""
    quote = "'" if text.count('"') > text.count("'") else '"'
    return quote + "".join(_character(each, quote) for each in text) + quote


def _character(each: str, quote: str) -> str:
    if each in (quote, "\\"):
        return "\\" + each
    if each.isprintable():
        return each
    return repr(each)[1:-1]
