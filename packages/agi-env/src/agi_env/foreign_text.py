"""Text that others wrote, such as a host that nobody trusts yet, made fit to be shown.

A terminal acts on some characters: it can be told to move back over what was shown, to rename its
window, to fill the clipboard. None of them is left in what these functions return. Letters and
symbols of all scripts stay as they are.
"""

from __future__ import annotations

import re

_COLOUR = re.compile(r"\x1b\[[0-9;:]*m")


def printable(text: str) -> str:
    """The text with ``?`` for what is not printable, and a blank for each line break and tab.

    Of colours, which apps often print, nothing is left.
    """
    if text.isprintable():
        return text
    return "".join(_shown(char) for char in _COLOUR.sub("", text))


def printable_lines(text: str) -> str:
    """The same, with its line breaks, and with blanks up to where its tabs lead."""
    if text.isprintable():
        return text
    return "\n".join(printable(line.expandtabs()) for line in text.split("\n"))


def _shown(char: str) -> str:
    if char.isprintable():
        return char
    return " " if char.isspace() else "?"
