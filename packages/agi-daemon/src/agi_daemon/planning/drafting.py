"""Drafting: from a call that is resolved to a plan that can be stored."""

from __future__ import annotations

import asyncio
from array import array
from collections.abc import Mapping

from agi_cluster.model.plan import Plan, PlanSlot
from agi_cluster.model.requests import CreatePlan
from agi_cluster.model.run import Run, RunState
from agi_cluster.model.selection import THIS_MACHINE
from agi_daemon.apps.resolution import Resolution
from agi_daemon.hosts.hosts import Hosts
from agi_daemon.planning.apart import place_apart
from agi_daemon.planning.carried import Carried
from agi_daemon.planning.draft import draft, empty_slots
from agi_daemon.planning.named import Named
from agi_daemon.planning.naming import name_partitions
from agi_daemon.planning.placement import Placement
from agi_daemon.planning.plan_store import NewPlan
from agi_daemon.planning.seats import pins_on_seats, seats_of
from agi_daemon.planning.speeds import Speeds, learned
from agi_daemon.runs import run_store
from agi_daemon.store.store import Store

_RECENT = 20
"""Runs of an app that its hosts' speeds are learned from."""


class Drafting:
    """Has apps name their partitions, and places them."""

    def __init__(self, store: Store, hosts: Hosts) -> None:
        self._store = store
        self._here = hosts.transport(THIS_MACHINE)

    async def named(self, resolution: Resolution, manager_build: str) -> Named:
        """The partitions that the app names now."""
        return await name_partitions(self._here, manager_build, resolution)

    async def draft(
        self,
        request: CreatePlan,
        resolution: Resolution,
        manager_build: str,
        carried: Carried | None = None,
    ) -> NewPlan:
        """A plan of what the app names.

        Args:
            request: What the call said itself.
            resolution: What it amounts to.
            manager_build: Where the app's manager side is installed.
            carried: The pins and moves by hand of an earlier plan.
        """
        named = await self.named(resolution, manager_build)
        speeds = self._speeds(resolution)
        slots = empty_slots(resolution.slots, speeds)
        fixed, pins = carried.onto(named, slots) if carried else ({}, {})
        seats = seats_of(slots)
        placement = await self._placed(named, slots, {**fixed, **pins})
        return await asyncio.to_thread(
            draft,
            request,
            resolution,
            named,
            seats=seats,
            slots=slots,
            placement=placement,
            weight_per_second=speeds.weight_per_second,
            pins=pins,
            change=carried.words(len(fixed), len(pins)) if carried else "made",
        )

    async def rebalanced(
        self, plan: Plan, weights: array[float], pins: Mapping[int, int], without: frozenset[str]
    ) -> Placement:
        """The placement of what is not pinned on the executors of a plan's slots."""
        seats = seats_of(plan.slots)
        fixed = pins_on_seats(pins, weights, seats)
        return await place_apart(self._here, weights, [seat for seat, _ in seats], fixed, without)

    async def _placed(
        self, named: Named, slots: tuple[PlanSlot, ...], pins: Mapping[int, int]
    ) -> Placement:
        seats = seats_of(slots)
        fixed = pins_on_seats(pins, named.weights, seats)
        return await place_apart(self._here, named.weights, [seat for seat, _ in seats], fixed)

    def _speeds(self, resolution: Resolution) -> Speeds:
        hosts = {slot.host for slot in resolution.slots}
        runs: list[Run] = self._store.read(
            lambda db: run_store.page(
                db, limit=_RECENT, token="", app=resolution.app, states=(RunState.SUCCEEDED,)
            )
        )[0]
        return learned([run for run in runs if run.mode == resolution.mode], hosts)
