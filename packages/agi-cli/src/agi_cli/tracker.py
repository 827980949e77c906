"""How far a run is, told from what a watch of it says."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta

from attrs import frozen

from agi_cluster.model.event import Event
from agi_cluster.model.plan import PlannedPartition
from agi_cluster.model.run import Run, RunState
from agi_cluster.narration import line_of

INSTALL_STEPS = frozenset({"collecting", "compiling", "shipping", "realising", "repeated"})

_BEGUN_BY = {
    "cores_leased": RunState.INSTALLING,
    "installed": RunState.PLANNING,
    "planned": RunState.STARTING,
}
"""What ends one state begins the next: between it and its ``state_changed`` nobody is told more."""


@frozen
class Place:
    """What the plan says of one partition."""

    label: str
    weight: float


class RunTracker:
    """Takes snapshots and events; has the facts to show. It does no I/O.

    One thread may take while another reads: every property reads one container at a time.

    Args:
        run: The run as it was accepted.
    """

    def __init__(self, run: Run) -> None:
        self.run = run
        self.state = run.state
        self._waits = (run.state, run.waiting_for)
        self._places: dict[str, Place] = {}
        self._done: set[str] = set()
        self._failed: set[str] = set()
        self._running: dict[str, int] = {}
        self._begun: datetime | None = None
        self._latest: datetime | None = None
        self._step = ""

    def plan(self, partitions: Iterable[PlannedPartition]) -> None:
        """Learn which partitions there are."""
        self._places = {p.id: Place(p.label, p.weight) for p in partitions}

    def take(self, update: Run | Event) -> None:
        """Learn what one message of a watch says."""
        if isinstance(update, Run):
            self.run = update
            self.wait(update)
            self.state = update.state if update.state.settled else self.state
            return
        begun = _BEGUN_BY.get(update.kind)
        if update.kind == "state_changed" or begun:
            self.state = begun or RunState(update.data["state"])
        elif update.kind in INSTALL_STEPS:
            self._step = line_of(update)
        elif update.kind == "runner_started":
            self._running = {}
            self._begun = self._begun or update.time
        elif update.kind.startswith("partition_") and "id" in update.data:
            self._take_partition(update)

    def wait(self, run: Run) -> None:
        """Learn what it waits for, as long as it is in the state that it has now."""
        self._waits = (run.state, run.waiting_for)

    def _take_partition(self, event: Event) -> None:
        partition = str(event.data["id"])
        if event.kind == "partition_started":
            self._running[partition] = int(event.data["slot"])
            self._done.discard(partition)
            return
        if event.kind not in ("partition_finished", "partition_failed"):
            return
        self._running.pop(partition, None)
        if event.kind == "partition_finished":
            self._done.add(partition)
            self._latest = event.time
        elif event.data.get("final", True):
            self._failed.add(partition)

    @property
    def waiting(self) -> str:
        """What is going on before there are partitions, in words."""
        state = self.state.value.lower()
        in_state, waits = self._waits
        if waits and in_state is self.state:
            return f"{state}: waits for {waits}"
        installing = self.state is RunState.INSTALLING
        return f"{state}: {self._step}" if installing and self._step else state

    def label(self, partition: str) -> str:
        """What people call a partition."""
        place = self._places.get(partition)
        return place.label if place else partition

    @property
    def done(self) -> int:
        """How many partitions succeeded."""
        return len(self._done)

    @property
    def failed(self) -> int:
        """How many failed for good."""
        return len(self._failed)

    @property
    def total(self) -> int:
        """How many there are; 0 before they are known."""
        return len(self._places) or self.run.progress.total

    @property
    def running(self) -> tuple[str, ...]:
        """The labels of those that are being executed."""
        return tuple(self.label(partition) for partition in list(self._running))

    @property
    def share(self) -> float:
        """How much of the work is done, by weight: 0 to 1."""
        total = sum(place.weight for place in list(self._places.values()))
        if total <= 0:
            return (self.done + self.failed) / self.total if self.total else 0.0
        over = [*self._done, *self._failed]
        return min(sum(self._places[p].weight for p in over if p in self._places) / total, 1.0)

    def seconds_left(self, now: datetime) -> float | None:
        """The seconds until the last partition is done, if they go on as fast as until now.

        None before the first is done: nothing is known of the speed then.
        """
        share = self.share
        if self._begun is None or self._latest is None or not share:
            return None
        spent = (self._latest - self._begun).total_seconds()
        end = self._latest + timedelta(seconds=spent * (1 - share) / share)
        return max((end - now).total_seconds(), 0.0)
