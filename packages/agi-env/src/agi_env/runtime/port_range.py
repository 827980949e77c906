"""A range of TCP ports that firewalls can be told about."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Self

_RANGE = re.compile(r"(?P<first>\d{1,5})(?:-(?P<last>\d{1,5}))?", re.ASCII)


@dataclass(frozen=True, slots=True)
class PortRange:
    """The ports from the first to the last, both included.

    Attributes:
        first: The lowest port, at least 1.
        last: The highest port, at most 65535.
    """

    first: int
    last: int

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read ``24700-24799``, or one port.

        Raises:
            ValueError: It is no range of ports; the message says so.
        """
        match = _RANGE.fullmatch(text.strip())
        first = int(match["first"]) if match else 0
        last = int(match["last"] or first) if match else 0
        if not 1 <= first <= last <= 65535:
            raise ValueError(f"{text!r} is no range of ports such as 24700-24799")
        return cls(first, last)

    def __iter__(self) -> Iterator[int]:
        return iter(range(self.first, self.last + 1))

    def __str__(self) -> str:
        return f"{self.first}-{self.last}"
