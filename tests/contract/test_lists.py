"""Pages: every item once in one order, whatever their size; tokens fit their own list only."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

FEW = ("HostService.ListHosts", "ReleaseService.ListReleases")
"""Lists of which the world has fewer items: each costs a machine, or a build."""


def items_of(page: Any) -> list[Any]:
    """The items of a page: the one repeated field of the answer."""
    (field,) = (field for field in page.DESCRIPTOR.fields if field.name != "next_page_token")
    return list(getattr(page, field.name))


def walk(wire: Any, name: str, request: dict[str, Any], size: int) -> Iterator[Any]:
    """All pages of a list."""
    token = ""
    while True:
        page = wire.call(name, request, page_size=size, page_token=token)
        yield page
        token = page.next_page_token
        if not token:
            return


def foreign_tokens(wire: Any, world: Any, table: Any, own: str) -> set[str]:
    """Tokens of all the other lists."""
    others = [row for row in table.values() if row.kind == "list" and row.name != own]
    pages = [wire.call(row.name, world.filled(row.request), page_size=1) for row in others]
    return {page.next_page_token for page in pages} - {""}


def test_a_walk_of_any_page_size_meets_every_item_once(world: Any, wire: Any, a_list: Any) -> None:
    request = world.filled(a_list.request)
    whole = items_of(wire.call(a_list.name, request, page_size=1000))
    assert len(whole) >= (1 if a_list.name in FEW else 3)
    for size in range(1, len(whole) + 2):
        pages = [items_of(page) for page in walk(wire, a_list.name, request, size)]
        assert [item for page in pages for item in page] == whole
        assert [len(page) for page in pages[:-1]] == [size] * (len(pages) - 1)
        assert pages[-1]


def test_a_page_asked_again_is_the_same(world: Any, wire: Any, a_list: Any) -> None:
    request = world.filled(a_list.request)
    for page in walk(wire, a_list.name, request, 2):
        token = page.next_page_token
        asked = {"page_size": 2, "page_token": token}
        assert wire.call(a_list.name, request, **asked) == wire.call(a_list.name, request, **asked)


def test_a_size_above_the_most_is_the_most(world: Any, wire: Any, a_list: Any) -> None:
    request = world.filled(a_list.request)
    assert items_of(wire.call(a_list.name, request, page_size=2**31 - 1))


def test_tokens_of_others_are_refused(world: Any, wire: Any, table: Any, a_list: Any) -> None:
    request = world.filled(a_list.request)
    foreign = foreign_tokens(wire, world, table, a_list.name)
    assert len(foreign) >= 4
    own = wire.call(a_list.name, request, page_size=1).next_page_token or "AAAA"
    for token in {*foreign, "1", "x", "toy_project", "é", f"{own}A", own[:-1], own.swapcase()}:
        refusal = wire.refusal(a_list.name, request, page_token=token)
        assert refusal.code == "REQUEST_INVALID", token
        assert refusal.infos[0].metadata["where"] == "page_token"


def test_a_token_belongs_to_its_filters(world: Any, wire: Any) -> None:
    asked = {"app": "toy", "page_size": 1}
    for name in ("RunService.ListRuns", "PlanService.ListPlans"):
        token = wire.call(name, asked).next_page_token
        assert items_of(wire.call(name, asked, page_token=token))
        assert wire.refusal(name, {"page_token": token}).code == "REQUEST_INVALID"
        assert wire.refusal(name, {"app": "other", "page_token": token}).code == "REQUEST_INVALID"


def test_a_filter_keeps_what_it_names(world: Any, wire: Any) -> None:
    runs = items_of(wire.call("RunService.ListRuns", {"app": "toy", "page_size": 1000}))
    done = {"app": "toy", "states": ["STATE_SUCCEEDED"], "page_size": 1000}
    assert runs
    succeeded = items_of(wire.call("RunService.ListRuns", done))
    failed = items_of(wire.call("RunService.ListRuns", {**done, "states": ["STATE_FAILED"]}))
    assert succeeded and failed
    assert sorted([*succeeded, *failed], key=lambda run: run.name) == sorted(
        runs, key=lambda run: run.name
    )
    assert {run.state for run in succeeded}.isdisjoint({run.state for run in failed})
    assert not items_of(wire.call("RunService.ListRuns", {"app": "other"}))


def test_what_is_made_during_a_walk_does_not_disturb_it(world: Any, wire: Any) -> None:
    before = items_of(wire.call("RunService.ListRuns", {"page_size": 1000}))
    met: list[str] = []
    for page in walk(wire, "RunService.ListRuns", {}, 1):
        met += [run.name for run in items_of(page)]
        if len(met) == 1:
            started = wire.call("RunService.StartRun", {"app": world.words["app"], "mode": 0})
            world.settle(started)
    assert met == [run.name for run in before]
