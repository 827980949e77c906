"""Pages of long lists."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TypeVar

from agi_cluster.model.page import Page

Item = TypeVar("Item")
Wire = TypeVar("Wire")


def page_from_wire(
    items: Iterable[Wire], next_page_token: str, parse: Callable[[Wire], Item]
) -> Page[Item]:
    """The page of a list response."""
    return Page(items=tuple(parse(item) for item in items), next_page_token=next_page_token)
