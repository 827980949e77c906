"""Cores are what is leased: two runs never hold the same one.

First come, first served on each host: of the runs that wait for a host the oldest is granted first,
and nobody passes it, so that a large run cannot starve behind small ones. Runs that want different
hosts do not wait for each other. The oldest of all is the first on each of its hosts, so whatever
it waits for is held by runs that end.
"""

from __future__ import annotations

import asyncio
from bisect import bisect_left
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping

from attrs import frozen


@frozen
class Demand:
    """What one run needs until it is settled."""

    number: int
    """The run's number, its alone; lower ones are served first."""
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
        self._waiting: dict[str, _Waiting] = {}
        """Those that wait, by run."""
        self._queues: defaultdict[str, list[_Waiting]] = defaultdict(list)
        """Those that wait for each host, by rising number: thousands may."""

    def adopt(self, demand: Demand) -> None:
        """Note what a run holds already, since before this daemon started."""
        self._held[demand.run] = demand

    def held_on(self, host: str) -> int:
        """How many cores of a host runs hold now."""
        return sum(demand.cores.get(host, 0) for demand in self._held.values())

    def waits_for(self, run: str) -> str:
        """What a run waits for; empty if it waits for nothing."""
        waiting = self._waiting.get(run)
        if waiting is None:
            return ""
        return self._earlier(waiting) or self._lack(waiting.demand)

    async def acquire(self, demand: Demand) -> None:
        """Wait until the run's cores are free and no older run waits for them; then hold them.

        Args:
            demand: What is needed; more than a host has is taken as all it has.
        """
        if demand.run in self._held:
            return
        waiting = _Waiting(demand, asyncio.get_running_loop().create_future())
        self._waiting[demand.run] = waiting
        for host in demand.cores:
            queue = self._queues[host]
            queue.insert(_place(queue, demand.number), waiting)
        self._grant(waiting)
        try:
            await waiting.granted
        except asyncio.CancelledError:
            self._withdraw(waiting)
            raise

    def release(self, run: str) -> None:
        """Give back what a run holds; nothing happens if it holds nothing."""
        if (demand := self._held.pop(run, None)) is not None:
            self._serve(demand.cores)

    def _withdraw(self, waiting: _Waiting) -> None:
        if waiting.demand.run in self._waiting:
            self._leave(waiting)
            self._serve(waiting.demand.cores)
        else:
            self.release(waiting.demand.run)

    def _serve(self, hosts: Iterable[str]) -> None:
        """Grant what can be, after something changed on these hosts."""
        for host in hosts:
            while (queue := self._queues.get(host)) and self._grant(queue[0]):
                pass

    def _grant(self, waiting: _Waiting) -> bool:
        demand = waiting.demand
        if self._earlier(waiting) or self._lack(demand):
            return False
        self._leave(waiting)
        self._held[demand.run] = demand
        if not waiting.granted.done():
            waiting.granted.set_result(None)
        # Behind it some may be the first now on one of its hosts, with room for them.
        self._serve(demand.cores)
        return True

    def _leave(self, waiting: _Waiting) -> None:
        del self._waiting[waiting.demand.run]
        for host in waiting.demand.cores:
            queue = self._queues[host]
            del queue[_place(queue, waiting.demand.number)]
            if not queue:
                del self._queues[host]

    def _earlier(self, waiting: _Waiting) -> str:
        """The run before it on one of its hosts, in words; empty if it is the first on all."""
        for host in waiting.demand.cores:
            queue = self._queues[host]
            if place := _place(queue, waiting.demand.number):
                return f"{queue[place - 1].demand.run}, which was first on {host}"
        return ""

    def _lack(self, demand: Demand) -> str:
        """The cores that are missing, in words; empty if there are enough."""
        for host, cores in demand.cores.items():
            capacity = self._capacity(host)
            free = capacity - self.held_on(host)
            if min(cores, capacity) > free:
                holders = ", ".join(run for run, held in self._held.items() if host in held.cores)
                return f"{cores} cores of {host}, {free} are free; held by {holders}"
        return ""


def _place(queue: list[_Waiting], number: int) -> int:
    return bisect_left(queue, number, key=lambda each: each.demand.number)
