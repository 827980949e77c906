"""Pages of long lists."""

from __future__ import annotations

from typing import Generic, TypeVar

from attrs import field, frozen

Item = TypeVar("Item")


@frozen(kw_only=True)
class Page(Generic[Item]):
    """Some items and the token that asks for the next ones; empty on the last page."""

    items: tuple[Item, ...] = field(converter=tuple)
    next_page_token: str = ""
