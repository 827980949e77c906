"""Lint: what is doubtful about a plan, with numbers and the edit that would mend it."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from enum import StrEnum

import attrs

from agi_daemon.planning.outline import Outline

FEW_PER_SLOT = 3
"""Partitions per slot below which the finish may stay far from the ideal one."""

WELL_PER_SLOT = 4
"""Partitions per slot that are suggested when there are too few."""

MANY_PER_SLOT = 1000
"""Partitions per slot above which starting and recording them outweighs what balance gains."""

TOLERATED = 0.1
"""How far above what is possible, relative, a finish may be without being mentioned."""


class LintCode(StrEnum):
    """What can be doubtful about a plan."""

    NO_PARTITIONS = "NO_PARTITIONS"
    TOO_FEW_PARTITIONS = "TOO_FEW_PARTITIONS"
    TOO_MANY_PARTITIONS = "TOO_MANY_PARTITIONS"
    ONE_HOST = "ONE_HOST"
    IDLE_SLOTS = "IDLE_SLOTS"
    LONG_PARTITION = "LONG_PARTITION"
    UNBALANCED = "UNBALANCED"
    HOST_DRAINED = "HOST_DRAINED"
    SETTINGS_NEWER = "SETTINGS_NEWER"


@attrs.frozen
class Finding:
    """Something doubtful about a plan.

    Attributes:
        code: What kind of thing it is.
        message: One line for a person, without a full stop.
        suggestion: The edit that would mend it, as one line; a command where there is one.
        numbers: What the message is based on, by name.
    """

    code: LintCode
    message: str
    suggestion: str
    numbers: Mapping[str, float] = attrs.field(factory=dict)


def lint_plan(plan: Outline) -> tuple[Finding, ...]:
    """Everything doubtful about a plan, what invalidates it first; of an empty one, only that."""
    if not plan.partitions:
        return (_no_partitions(plan),)
    findings = (rule(plan) for rule in RULES)
    return tuple(finding for finding in findings if finding is not None)


def _no_partitions(plan: Outline) -> Finding:
    return Finding(
        LintCode.NO_PARTITIONS,
        "partitions() named nothing: a run of this plan has nothing to do",
        f"see what partitions() looks for: `agi settings show {plan.app}` has its arguments",
        {"partitions": 0},
    )


def _host_drained(plan: Outline) -> Finding | None:
    gone = [slot for slot in plan.slots if slot.host in plan.drained and slot.partition_count]
    if not gone:
        return None
    stranded = sum(slot.partition_count for slot in gone)
    hosts = sorted({slot.host for slot in gone})
    without = " ".join(f"--without {host}" for host in hosts)
    return Finding(
        LintCode.HOST_DRAINED,
        f"{stranded} partitions are on drained hosts: {', '.join(hosts)}",
        f"`agi plans rebalance {plan.name} {without}`",
        {"partitions": stranded, "hosts": len(hosts)},
    )


def _settings_newer(plan: Outline) -> Finding | None:
    if not plan.changes:
        return None
    return Finding(
        LintCode.SETTINGS_NEWER,
        f"the settings were changed after this plan was made: {'; '.join(plan.changes)}",
        f"`agi distribute {plan.app} --rebase {plan.name}` makes a new plan with its edits",
        {"changes": len(plan.changes)},
    )


def _too_few(plan: Outline) -> Finding | None:
    partitions, places = plan.partitions, plan.executors
    excess = plan.finish / plan.ideal - 1 if plan.ideal else 0.0
    if partitions >= places and (partitions >= FEW_PER_SLOT * places or excess <= TOLERATED):
        return None
    pooled = places > len(plan.usable)
    where = f"{places} executors of {len(plan.usable)} slots" if pooled else f"{places} slots"
    return Finding(
        LintCode.TOO_FEW_PARTITIONS,
        f"{partitions} partitions on {where} finish {excess:.0%} later than the ideal",
        f"split the work into {WELL_PER_SLOT * places} partitions or more",
        {"partitions": partitions, "slots": places, "excess": excess},
    )


def _too_many(plan: Outline) -> Finding | None:
    partitions, places = plan.partitions, plan.executors
    most = MANY_PER_SLOT * places
    if not places or partitions <= most:
        return None
    return Finding(
        LintCode.TOO_MANY_PARTITIONS,
        f"{partitions} partitions are {partitions / places:.0f} for each of {places} slots",
        f"group the work into {most} partitions or fewer",
        {"partitions": partitions, "slots": places, "most": most},
    )


def _one_host(plan: Outline) -> Finding | None:
    hosts = {slot.host for slot in plan.usable}
    used = {slot.host for slot in plan.slots if slot.partition_count}
    if len(hosts) < 2 or len(used) != 1 or plan.partitions < 2:
        return None
    return Finding(
        LintCode.ONE_HOST,
        f"all {plan.partitions} partitions are on {min(used)}, of {len(hosts)} hosts",
        _rebalance(plan),
        {"partitions": plan.partitions, "hosts": len(hosts)},
    )


def _idle_slots(plan: Outline) -> Finding | None:
    idle = [plan.names[slot.index] for slot in plan.usable if not slot.partition_count]
    if not idle or plan.partitions < len(plan.usable):
        return None
    return Finding(
        LintCode.IDLE_SLOTS,
        f"{len(idle)} of {len(plan.usable)} slots have nothing to do, {idle[0]} first among them",
        f"{_rebalance(plan)}, or give these slots to other work",
        {"idle": len(idle), "slots": len(plan.usable)},
    )


def _long_partition(plan: Outline) -> Finding | None:
    """Only where there are partitions for every slot: with fewer, each one is too long."""
    if not plan.ideal or plan.partitions < plan.executors:
        return None
    time = plan.heaviest / max(slot.pace for slot in plan.usable)
    if time <= plan.ideal * (1 + TOLERATED):
        return None
    parts = math.ceil(time / plan.ideal)
    name = plan.heaviest_id
    return Finding(
        LintCode.LONG_PARTITION,
        f"partition {name} alone takes {time:.6g}, and all could be done in {plan.ideal:.6g}",
        f"split partition {name} into {parts} or more",
        {"weight": plan.heaviest, "time": time, "ideal": plan.ideal, "parts": parts},
    )


def _unbalanced(plan: Outline) -> Finding | None:
    gap = plan.finish / plan.lower_bound - 1 if plan.lower_bound else 0.0
    if gap <= TOLERATED:
        return None
    return Finding(
        LintCode.UNBALANCED,
        f"the finish {plan.finish:.6g} is {gap:.0%} above the lower bound {plan.lower_bound:.6g}",
        _rebalance(plan),
        {"finish": plan.finish, "lower_bound": plan.lower_bound, "gap": gap},
    )


def _rebalance(plan: Outline) -> str:
    """The command that places what is not pinned anew, after the pins where all are pinned."""
    if plan.pinned == plan.partitions:
        return f"`agi plans unpin {plan.name} --all`, then `agi plans rebalance {plan.name}`"
    return f"`agi plans rebalance {plan.name}`"


RULES: tuple[Callable[[Outline], Finding | None], ...] = (
    _host_drained,
    _settings_newer,
    _too_few,
    _too_many,
    _one_host,
    _idle_slots,
    _long_partition,
    _unbalanced,
)
"""The rules, in the order of their findings."""
