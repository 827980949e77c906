"""Cores are what is leased: two runs never hold the same one.

First come, first served: the oldest waiting run is granted first, and nobody passes it, so that
a large run cannot starve behind small ones.
"""

from __future__ import annotations

import asyncio
from bisect import bisect_left
from collections.abc import Callable, Mapping

from attrs import frozen


@frozen
class Demand:
    """What one run needs until it is settled."""

    number: int
    """The run's number; lower ones are served first."""
    run: str
    cores: Mapping[str, int]
    """Cores by host."""


@frozen
class _Waiting:
    demand: Demand
    granted: asyncio.Future[None]


class CoreLeases:
    """Who holds how many cores of which host."""

    def __init__(self, capacity: Callable[[str], int]) -> None:
        """Args: capacity: The number of cores of a host."""
        self._capacity = capacity
        self._held: dict[str, Demand] = {}
        self._waiting: list[_Waiting] = []
        """Those that wait, by rising number: thousands may."""
        self._numbers: dict[str, int] = {}
        """The numbers of those that wait, by run."""

    def adopt(self, demand: Demand) -> None:
        """Note what a run holds already, since before this daemon started."""
        self._held[demand.run] = demand

    def held_on(self, host: str) -> int:
        """How many cores of a host runs hold now."""
        return sum(demand.cores.get(host, 0) for demand in self._held.values())

    def waits_for(self, run: str) -> str:
        """What a run waits for; empty if it waits for nothing."""
        if run not in self._numbers:
            return ""
        place = self._place(self._numbers[run])
        if place:
            return f"{self._waiting[place - 1].demand.run}, which was first"
        return self._lack(self._waiting[0].demand)

    async def acquire(self, demand: Demand) -> None:
        """Wait until the run's cores are free and no older run waits; then hold them.

        Args:
            demand: What is needed; more than a host has is taken as all it has.
        """
        if demand.run in self._held:
            return
        waiting = _Waiting(demand, asyncio.get_running_loop().create_future())
        self._waiting.insert(self._place(demand.number), waiting)
        self._numbers[demand.run] = demand.number
        self._grant()
        try:
            await waiting.granted
        except asyncio.CancelledError:
            self._withdraw(waiting)
            raise

    def release(self, run: str) -> None:
        """Give back what a run holds; nothing happens if it holds nothing."""
        if self._held.pop(run, None) is not None:
            self._grant()

    def _withdraw(self, waiting: _Waiting) -> None:
        demand = waiting.demand
        if self._numbers.pop(demand.run, None) is None:
            self.release(demand.run)
        else:
            del self._waiting[self._place(demand.number)]
            self._grant()

    def _place(self, number: int) -> int:
        return bisect_left(self._waiting, number, key=lambda each: each.demand.number)

    def _grant(self) -> None:
        while self._waiting and not self._lack(self._waiting[0].demand):
            first = self._waiting.pop(0)
            del self._numbers[first.demand.run]
            self._held[first.demand.run] = first.demand
            if not first.granted.done():
                first.granted.set_result(None)

    def _lack(self, demand: Demand) -> str:
        """What the demand waits for; empty if it can be granted."""
        for host, cores in demand.cores.items():
            capacity = self._capacity(host)
            free = capacity - self.held_on(host)
            if min(cores, capacity) > free:
                holders = ", ".join(run for run, held in self._held.items() if host in held.cores)
                return f"{cores} cores of {host}, {free} are free; held by {holders}"
        return ""
