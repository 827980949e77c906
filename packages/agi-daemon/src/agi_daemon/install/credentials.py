"""Credentials in URLs: of a private index, or of a dependency that is named by its URL."""

from __future__ import annotations

import re

_USER_INFO = re.compile(r"(?<=://)[^/\s]*@")


def masked(text: str) -> str:
    """The text with the user and password of every URL in it replaced by ``***``.

    For what is stored or shown: events are kept for long, and messages are pasted into mails.
    """
    return _USER_INFO.sub("***@", text)
