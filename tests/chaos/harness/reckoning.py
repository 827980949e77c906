"""The reckoning after a round: the evidence of every run, and what is left of it all."""

from __future__ import annotations

import asyncio
import sqlite3
import time
from collections.abc import Sequence

from agi_cluster.client import AsyncClient
from agi_env.errors import AgiError
from harness import evidence, invariants
from harness.customer import Order
from harness.evidence import Evidence
from harness.figures import Breach, Violation
from harness.scene import Scene, until

GATHER_S = 10.0
"""How long it may take to tell all about a run that is settled; one that is not tells no end."""
ORPHANS_S = 30.0
"""Within this time after the end nothing of ours is left."""


class Reckoning:
    """Judges what became of the orders of a round."""

    def __init__(self, scene: Scene, orders: Sequence[Order]) -> None:
        self._scene = scene
        self._daemon = scene.daemon
        self._orders = [order for order in orders if order.run]
        self._figures = scene.figures

    async def of_runs(self, client: AsyncClient) -> None:
        """Every run by itself."""
        for order in self._orders:
            try:
                async with asyncio.timeout(GATHER_S):
                    found = await evidence.gather(client, order, self._scene)
            except (AgiError, TimeoutError) as error:
                self._broken(Breach.LOST, order.run, f"no evidence: {error!r}")
            else:
                self._count(found)
                self._figures.violations += invariants.violations(found)

    async def of_their_number(self, client: AsyncClient, others: int) -> None:
        """As many runs as were accepted."""
        names: list[str] = []
        token = ""
        while len(names) == 0 or token:
            page = await client.list_runs(page_size=1000, page_token=token)
            names += [run.id for run in page.items]
            token = page.next_page_token
        ordered = {order.run for order in self._orders}
        if len(names) != len(ordered) + others:
            what = f"{len(ordered)} were accepted, {len(names) - others} are there"
            self._broken(Breach.DUPLICATED, "runs", what)

    async def of_cores(self, client: AsyncClient) -> None:
        """No core is held by a run that is settled; its runner may take a moment to leave."""
        deadline = time.monotonic() + ORPHANS_S
        while held := sum(host.leased_cores for host in (await client.list_hosts()).items):
            if time.monotonic() > deadline:
                self._broken(Breach.ORPHAN, "leases", f"{held} cores are still held")
                return
            await asyncio.sleep(0.1)

    async def of_debts(self, client: AsyncClient) -> None:
        """No run is to be cleared up any more on a host that answers again."""
        deadline = time.monotonic() + ORPHANS_S
        for order in self._orders:
            while owed := (await client.get_run(order.run)).uncleared_hosts:
                if time.monotonic() > deadline:
                    self._broken(Breach.ORPHAN, order.run, f"not cleared up on {owed}")
                    break
                await asyncio.sleep(0.2)

    async def of_what_is_left(self) -> None:
        """After the daemon's end: no process, nothing half published, a sound store."""
        census = self._scene.census
        if not await until(lambda: not census.take(), ORPHANS_S, pause_s=0.1):
            for victim in census.take():
                place = victim.host or "the manager"
                who = f"{victim.role} {victim.pid} of run {victim.run}"
                what = f"on {place}: {who}: {victim.command}"
                self._broken(Breach.ORPHAN, "processes", what)
        for published in self._daemon.root.glob("*/*/results/[!.]*"):
            if not (published / "manifest.json").exists():
                self._broken(Breach.HALF_PUBLISHED, str(published), "no manifest")
        verdict = self._store_verdict()
        if verdict != "ok":
            self._broken(Breach.LOST, "store", verdict)

    def _store_verdict(self) -> str:
        store = sqlite3.connect(self._daemon.state / "store.sqlite3")
        try:
            return str(store.execute("PRAGMA integrity_check").fetchone()[0])
        finally:
            store.close()

    def _count(self, each: Evidence) -> None:
        figures = self._figures
        figures.runs[each.run.state.value] += 1
        if each.explained and each.run.error is not None:
            figures.causes[each.run.error.code] += 1
        figures.restarts["runner"] += max(0, each.kinds["runner_started"] - 1)
        begun = each.kinds["partition_started"]
        figures.restarts["partition"] += max(0, begun - len(each.partitions))
        figures.restarts["journal cut"] += each.kinds["journal_recovered"]

    def _broken(self, breach: Breach, where: str, what: str) -> None:
        self._figures.violations.append(Violation(breach, where, what))
