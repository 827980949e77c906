"""Leases: never a core twice, first come first served, nobody starves."""

from __future__ import annotations

import asyncio

from hypothesis import given
from hypothesis import strategies as st

from agi_daemon.runs.leases import CoreLeases, Demand

CORES = 4


def leases() -> CoreLeases:
    return CoreLeases(lambda host: CORES)


async def test_the_oldest_waiting_run_is_not_passed_by_a_smaller_one() -> None:
    cores = leases()
    await cores.acquire(Demand(1, "first", {"h": 3}))
    large = asyncio.create_task(cores.acquire(Demand(2, "large", {"h": 4})))
    small = asyncio.create_task(cores.acquire(Demand(3, "small", {"h": 1})))
    await asyncio.sleep(0)
    assert "held by first" in cores.waits_for("large")
    assert "large" in cores.waits_for("small")
    cores.release("first")
    await large
    assert not small.done()
    cores.release("large")
    await small
    assert cores.waits_for("small") == ""


async def test_a_withdrawn_demand_lets_the_next_one_through() -> None:
    cores = leases()
    await cores.acquire(Demand(1, "first", {"h": 3}))
    large = asyncio.create_task(cores.acquire(Demand(2, "large", {"h": 4})))
    small = asyncio.create_task(cores.acquire(Demand(3, "small", {"h": 1})))
    await asyncio.sleep(0)
    large.cancel()
    await small
    assert cores.held_on("h") == 4


async def test_runs_on_other_hosts_do_not_wait_for_each_other() -> None:
    cores = leases()
    await cores.acquire(Demand(1, "first", {"a": 4}))
    both = asyncio.create_task(cores.acquire(Demand(2, "both", {"a": 1, "b": 4})))
    await asyncio.sleep(0)
    await cores.acquire(Demand(3, "elsewhere", {"c": 4}))
    behind = asyncio.create_task(cores.acquire(Demand(4, "behind", {"b": 1})))
    await asyncio.sleep(0)
    assert cores.waits_for("both") == "1 cores of a, 0 are free; held by first"
    assert cores.waits_for("behind") == "both, which was first on b"
    cores.release("first")
    await both
    assert cores.waits_for("behind") == "1 cores of b, 0 are free; held by both"
    cores.release("both")
    await behind


async def test_more_than_a_host_has_is_all_it_has() -> None:
    cores = leases()
    await cores.acquire(Demand(1, "greedy", {"h": 99}))
    other = asyncio.create_task(cores.acquire(Demand(2, "other", {"h": 1})))
    await asyncio.sleep(0)
    assert not other.done()
    cores.release("greedy")
    await other


@given(st.lists(st.dictionaries(st.sampled_from("ab"), st.integers(1, CORES), min_size=1)))
def test_all_are_served_in_order_and_no_core_is_held_twice(wishes: list[dict[str, int]]) -> None:
    async def scenario() -> None:
        cores = leases()
        order: list[int] = []

        async def run(number: int, wish: dict[str, int]) -> None:
            await cores.acquire(Demand(number, f"run{number}", wish))
            order.append(number)
            assert all(cores.held_on(host) <= CORES for host in "ab")
            await asyncio.sleep(0)
            cores.release(f"run{number}")

        async with asyncio.TaskGroup() as group:
            for number, wish in enumerate(wishes):
                group.create_task(run(number, wish))
        for host in "ab":
            there = [number for number in order if host in wishes[number]]
            assert there == sorted(there)
        assert cores.held_on("a") == cores.held_on("b") == 0

    asyncio.run(scenario())
