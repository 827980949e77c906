"""Numbered facts about a watched resource."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from attrs import field, frozen


@frozen(kw_only=True)
class Event:
    """One fact; in each resource the numbers start at 1 and rise by 1."""

    sequence: int
    time: datetime
    kind: str
    data: dict[str, Any] = field(factory=dict)
    verbosity: int = 1
    """From which verbosity (0 to 3) on a person wants to see it."""
