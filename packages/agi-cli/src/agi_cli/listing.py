"""Long lists: fetched page by page, up to as many as are to be shown."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Generic, TypeVar

from attrs import frozen

from agi_cluster.model.page import Page

Item = TypeVar("Item")

LARGEST_PAGE = 1000


@frozen
class Listing(Generic[Item]):
    """Some resources of one kind, and the token that asks for those after them."""

    kind: type[Item]
    items: tuple[Item, ...]
    next_page_token: str = ""

    @property
    def more(self) -> bool:
        """There are others that were not fetched."""
        return bool(self.next_page_token)


def fetched(
    kind: type[Item], fetch: Callable[..., Page[Item]], *given: Any, limit: int | None = None
) -> Listing[Item]:
    """Call a list method of the client until there is no more, or enough.

    Args:
        kind: What is listed.
        fetch: The method; it is given ``page_size`` and ``page_token``.
        given: Its other arguments.
        limit: How many to fetch at most; None: all.
    """
    items: list[Item] = []
    token = ""
    while True:
        wanted = LARGEST_PAGE if limit is None else min(limit - len(items), LARGEST_PAGE)
        page = fetch(*given, page_size=wanted, page_token=token)
        items.extend(page.items)
        token = page.next_page_token
        if not token or (limit is not None and len(items) >= limit):
            return Listing(kind, tuple(items), token)
