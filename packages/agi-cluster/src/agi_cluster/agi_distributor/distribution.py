"""What ``AGI.get_distrib`` returns: which partition goes to which slot."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import groupby

from attrs import frozen

from agi_cluster.model.plan import Plan, PlannedPartition, PlanSlot
from agi_cluster.text import counted, cut, number, one_line

_PARTITIONS, _SLOTS, _HOSTS = 8, 16, 24
"""How many are shown of a slot's partitions, of a host's slots and of the hosts."""


@frozen(kw_only=True, repr=False)
class Distribution:
    """A plan and its partitions; prints as a tree of hosts, slots and partitions.

    Give it to ``AGI.run(app_env, plan=distribution)`` to run exactly this.
    """

    plan: Plan
    partitions: tuple[PlannedPartition, ...]
    """In plan order."""

    @property
    def name(self) -> str:
        """The plan revision, ``plans/ID@REVISION``."""
        return self.plan.name

    @property
    def predicted_finish(self) -> float:
        """When the last slot is done, in units of weight at speed 1."""
        return self.plan.predicted_finish

    def of_slot(self, index: int) -> tuple[PlannedPartition, ...]:
        """The partitions of one slot, in plan order."""
        return tuple(partition for partition in self.partitions if partition.slot == index)

    def __str__(self) -> str:
        return "\n".join([*self._head(), *self._hosts(), *self._findings()])

    __repr__ = __str__

    def _head(self) -> Iterator[str]:
        plan = self.plan
        yield f"{plan.app}  {plan.name}  mode {plan.mode.words}"
        yield (
            f"{number(plan.partition_count)} partitions of weight {number(plan.total_weight)} on"
            f" {len(plan.slots)} slots: predicted finish {number(plan.predicted_finish)},"
            f" at best {number(plan.lower_bound)}"
        )

    def _hosts(self) -> Iterator[str]:
        placed: dict[int, list[PlannedPartition]] = {}
        for partition in self.partitions:
            placed.setdefault(partition.slot, []).append(partition)
        slots = sorted(self.plan.slots, key=lambda slot: (slot.host, slot.index))
        branches = [
            [
                f"{host}{' (scheduler)' if host == self._scheduler else ''}",
                *_slots(list(own), placed),
            ]
            for host, own in groupby(slots, key=lambda slot: slot.host)
        ]
        if len(branches) > _HOSTS:
            branches = [*branches[:_HOSTS], [f"… {len(branches) - _HOSTS} more hosts"]]
        return _grafted(branches)

    @property
    def _scheduler(self) -> str:
        return self.plan.scheduler.partition(":")[0]

    def _findings(self) -> Iterator[str]:
        for finding in self.plan.findings:
            yield f"{finding.code}: {finding.message}. {finding.suggestion}".rstrip(". ")


def _slots(slots: list[PlanSlot], placed: dict[int, list[PlannedPartition]]) -> Iterator[str]:
    branches = [[_slot(slot), *_partitions(placed.get(slot.index, []))] for slot in slots[:_SLOTS]]
    if len(slots) > _SLOTS:
        branches.append([f"… {len(slots) - _SLOTS} more slots"])
    return _grafted(branches)


def _slot(slot: PlanSlot) -> str:
    return (
        f"slot {slot.index}: {slot.partition_count} partitions, load {number(slot.load)},"
        f" finish {number(slot.predicted_finish)}, {counted(slot.cores, 'core')}"
    )


def _partitions(partitions: list[PlannedPartition]) -> Iterator[str]:
    lines = [
        f"{one_line(p.label, 60)}  {number(p.weight)}{'  pinned' if p.pinned else ''}"
        for p in partitions
    ]
    return _grafted([[line] for line in cut(lines, _PARTITIONS, "partitions")])


def _grafted(branches: list[list[str]]) -> Iterator[str]:
    """The lines of the branches of one node of a tree."""
    for place, (head, *rest) in enumerate(branches, start=1):
        last = place == len(branches)
        yield f"{'└─' if last else '├─'} {head}"
        yield from (f"{'  ' if last else '│ '} {line}" for line in rest)
