"""JSON that may be looked at on a terminal."""

from __future__ import annotations

import json


def inert(text: str) -> str:
    """The same JSON with everything that is not printable escaped, which is inside of strings.

    JSON itself asks for that below U+0020 only; some terminals act on U+009B as they do on ESC [.
    """
    return "\n".join(
        line if line.isprintable() else "".join(map(_escaped, line)) for line in text.split("\n")
    )


def _escaped(char: str) -> str:
    return char if char.isprintable() else json.dumps(char)[1:-1]
