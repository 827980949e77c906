"""The evidence of one run: what the daemon says, what the journal says, and what was published."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from agi_cluster.client import AsyncClient
from agi_cluster.model.event import Event
from agi_cluster.model.run import Run, RunPartition
from agi_env.runtime import journal
from agi_env.runtime.journal import JOURNAL_FILE, Recovered
from agi_env.runtime.spec import SPEC_FILE, RunSpec
from harness.afflictions import explained
from harness.customer import Order
from harness.scene import Scene


@dataclass(frozen=True)
class Evidence:
    """All that is known of a run after its end.

    Attributes:
        order: What was asked for.
        run: What the daemon says of it.
        events: All its events, as a new watch tells them.
        partitions: What the daemon says of its partitions.
        directory: Its directory on the host that had its last runner, seen from here.
        explained: Whether it failed, and truly because of what was done.
    """

    order: Order
    run: Run
    events: Sequence[Event]
    partitions: Sequence[RunPartition]
    directory: Path
    explained: bool

    @cached_property
    def journal(self) -> Recovered:
        """What happened; empty for a run that had no runner."""
        return journal.read(self.directory / JOURNAL_FILE)

    @cached_property
    def copied(self) -> list[str]:
        """The kinds of the events that come from the journal: the daemon's own have no epoch."""
        return [event.kind for event in self.events if "epoch" in event.data]

    @cached_property
    def settled_by_daemon(self) -> bool:
        """Whether the daemon settled it, and no runner."""
        settled = [event for event in self.events if event.kind == "settled"]
        return any("epoch" not in event.data for event in settled)

    @cached_property
    def kinds(self) -> Counter[str]:
        """How many records of each kind there are."""
        return Counter(record.kind for record in self.journal.records)

    @cached_property
    def accepted(self) -> dict[str, list[dict[str, Any]]]:
        """The results that count, by partition; those that were lost again do not."""
        found: dict[str, list[dict[str, Any]]] = {}
        for record in self.journal.records:
            if record.kind in ("partition_finished", "partition_inherited"):
                found.setdefault(record.data["id"], []).append(record.to_dict())
            elif record.kind == "result_lost":
                found.get(record.data["id"], []).clear()
        return found

    @cached_property
    def data_out(self) -> Path | None:
        """The parent of what is published; none for a run that had no runner."""
        spec = self.directory / SPEC_FILE
        return Path(RunSpec.from_json(spec.read_bytes()).data_out) if spec.exists() else None

    @cached_property
    def published(self) -> Path | None:
        """What was published, if it is there."""
        place = self.data_out / self.run.id if self.data_out else None
        return place if place and place.exists() else None

    @cached_property
    def work_area(self) -> Path | None:
        """The work area, if it is there."""
        place = self.data_out / f".agi-{self.run.id}" if self.data_out else None
        return place if place and place.exists() else None

    @cached_property
    def manifest(self) -> dict[str, Any]:
        """The manifest of what was published; empty where it is missing or no JSON."""
        try:
            facts = json.loads((self.published or Path()).joinpath("manifest.json").read_bytes())
        except (OSError, ValueError):
            return {}
        return facts if isinstance(facts, dict) else {}

    @cached_property
    def results(self) -> dict[str, Any]:
        """The published values by partition."""
        lines = (self.published or Path()).joinpath("results.jsonl").read_text().splitlines()
        return {entry["id"]: entry["value"] for entry in map(json.loads, lines)}


async def gather(client: AsyncClient, order: Order, scene: Scene) -> Evidence:
    """Everything about the run of an order, which is settled."""
    run = await client.get_run(order.run)
    events = [
        update
        async for update, _ in client.watch_run(order.run, verbose=3)
        if isinstance(update, Event)
    ]
    partitions: list[RunPartition] = []
    token = ""
    while True:
        page = await client.list_run_partitions(order.run, page_token=token)
        partitions += page.items
        token = page.next_page_token
        if not token:
            break
    moves = [event.data["to"] for event in events if event.kind == "runner_moved"]
    home = [order.selection.scheduler, *moves][-1]
    directory = scene.machines.runs_of(home) / order.run
    why = explained(run, order.hosts, scene.afflictions)
    return Evidence(order, run, events, partitions, directory, why)
