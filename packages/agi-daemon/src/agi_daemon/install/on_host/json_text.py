"""JSON by the interpreter's own scanner and encoder.

``import json`` takes as long as half of what a host needs to start Python and to look at a build:
it brings ``re`` and ``enum``. What does the work is in C and can be asked directly; where it is not
there, or not as it was from Python 3.8 on, the package is used.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any


def loads(text: str) -> Any:
    """The value in a JSON text.

    Raises:
        ValueError: It is none.
    """
    return _loads(text)


def dumps(value: Any) -> str:
    """A value as JSON, in ASCII and on one line.

    Raises:
        TypeError: It has what JSON has not.
    """
    return _dumps(value)


class _Options:
    """What the scanner is told; `json.JSONDecoder` has the same."""

    strict = True
    object_hook = None
    object_pairs_hook = None
    parse_float = float
    parse_int = int
    memo: dict[str, str] = {}  # noqa: RUF012 - the scanner's own

    @staticmethod
    def parse_constant(name: str) -> float:
        """NaN and the infinities."""
        return float(name)


def _refuse(value: object) -> None:
    raise TypeError(f"{type(value).__name__} is not JSON")


def _in_c() -> tuple[Callable[[str], Any], Callable[[Any], str]]:
    from _json import encode_basestring_ascii, make_encoder, make_scanner  # noqa: PLC0415

    scan = make_scanner(_Options)  # type: ignore[arg-type]
    encode = make_encoder(
        None, _refuse, encode_basestring_ascii, None, ": ", ", ", False, False, True
    )

    def read(text: str) -> Any:
        begun = len(text) - len(text.lstrip())
        try:
            value, end = scan(text, begun)
        except StopIteration:
            raise ValueError("no JSON value") from None
        if text[end:].strip():
            raise ValueError("more than one JSON value")
        return value

    def write(value: Any) -> str:
        return "".join(encode(value, 0))

    trial = {"a": [1, -0.5, None, True, '"\u00e9'], "b": {}}
    if read(write(trial)) != trial:
        raise ValueError("this is another scanner")
    return read, write


try:
    _loads, _dumps = _in_c()
except (ImportError, AttributeError, TypeError, ValueError):  # another Python than we know
    import json

    _loads, _dumps = json.loads, json.dumps
