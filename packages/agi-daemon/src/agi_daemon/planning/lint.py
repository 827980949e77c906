"""Lint: what is doubtful about a plan, with numbers and the edit that would mend it."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from enum import StrEnum

import attrs

from agi_daemon.planning.plan_view import PlanView

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
        suggestion: The edit that would mend it, as one line.
        numbers: What the message is based on, by name.
    """

    code: LintCode
    message: str
    suggestion: str
    numbers: Mapping[str, float] = attrs.field(factory=dict)


def lint_plan(plan: PlanView) -> tuple[Finding, ...]:
    """Everything doubtful about a plan, what invalidates it first; nothing for an empty one."""
    if not plan.ids:
        return ()
    findings = (rule(plan) for rule in RULES)
    return tuple(finding for finding in findings if finding is not None)


def _host_drained(plan: PlanView) -> Finding | None:
    gone = {slot.index: slot.host for slot in plan.slots if slot.host in plan.drained}
    stranded = sum(len(plan.held[index]) for index in gone)
    if not stranded:
        return None
    hosts = sorted({host for index, host in gone.items() if plan.held[index]})
    return Finding(
        LintCode.HOST_DRAINED,
        f"{stranded} partitions are on drained hosts: {', '.join(hosts)}",
        "rebalance without these hosts",
        {"partitions": stranded, "hosts": len(hosts)},
    )


def _settings_newer(plan: PlanView) -> Finding | None:
    if plan.current_settings_digest in {"", plan.settings_digest}:
        return None
    return Finding(
        LintCode.SETTINGS_NEWER,
        "the settings were changed after this plan was made",
        "distribute again, or run with the settings that the plan was made from",
    )


def _too_few(plan: PlanView) -> Finding | None:
    partitions, slots = len(plan.ids), len(plan.usable)
    excess = plan.finish / plan.ideal - 1 if plan.ideal else 0.0
    if partitions >= slots and (partitions >= FEW_PER_SLOT * slots or excess <= TOLERATED):
        return None
    return Finding(
        LintCode.TOO_FEW_PARTITIONS,
        f"{partitions} partitions on {slots} slots finish {excess:.0%} later than the ideal",
        f"split the work into {WELL_PER_SLOT * slots} partitions or more",
        {"partitions": partitions, "slots": slots, "excess": excess},
    )


def _too_many(plan: PlanView) -> Finding | None:
    partitions, slots = len(plan.ids), len(plan.usable)
    if not slots or partitions <= MANY_PER_SLOT * slots:
        return None
    most = MANY_PER_SLOT * slots
    return Finding(
        LintCode.TOO_MANY_PARTITIONS,
        f"{partitions} partitions are {partitions / slots:.0f} for each of {slots} slots",
        f"group the work into {most} partitions or fewer",
        {"partitions": partitions, "slots": slots, "most": most},
    )


def _one_host(plan: PlanView) -> Finding | None:
    hosts = {slot.host for slot in plan.usable}
    used = {slot.host for slot in plan.slots if plan.held[slot.index]}
    if len(hosts) < 2 or len(used) != 1 or len(plan.ids) < 2:
        return None
    return Finding(
        LintCode.ONE_HOST,
        f"all {len(plan.ids)} partitions are on {min(used)}, of {len(hosts)} hosts",
        "rebalance",
        {"partitions": len(plan.ids), "hosts": len(hosts)},
    )


def _idle_slots(plan: PlanView) -> Finding | None:
    idle = [plan.names[slot.index] for slot in plan.usable if not plan.held[slot.index]]
    if not idle or len(plan.ids) < len(plan.usable):
        return None
    return Finding(
        LintCode.IDLE_SLOTS,
        f"{len(idle)} of {len(plan.usable)} slots have nothing to do, {idle[0]} first among them",
        "rebalance, or give these slots to other work",
        {"idle": len(idle), "slots": len(plan.usable)},
    )


def _long_partition(plan: PlanView) -> Finding | None:
    """Only where there are partitions for every slot: with fewer, each one is too long."""
    if not plan.ideal or len(plan.ids) < len(plan.usable):
        return None
    heaviest = max(plan.weights)
    time = heaviest / max(slot.speed for slot in plan.usable)
    if time <= plan.ideal * (1 + TOLERATED):
        return None
    parts = math.ceil(time / plan.ideal)
    partition = plan.ids[list(plan.weights).index(heaviest)]
    return Finding(
        LintCode.LONG_PARTITION,
        f"partition {partition} alone takes {time:.6g}, and all could be done in {plan.ideal:.6g}",
        f"split partition {partition} into {parts} or more",
        {"weight": heaviest, "time": time, "ideal": plan.ideal, "parts": parts},
    )


def _unbalanced(plan: PlanView) -> Finding | None:
    gap = plan.finish / plan.lower_bound - 1 if plan.lower_bound else 0.0
    if gap <= TOLERATED:
        return None
    return Finding(
        LintCode.UNBALANCED,
        f"the finish {plan.finish:.6g} is {gap:.0%} above the lower bound {plan.lower_bound:.6g}",
        "rebalance",
        {"finish": plan.finish, "lower_bound": plan.lower_bound, "gap": gap},
    )


RULES: tuple[Callable[[PlanView], Finding | None], ...] = (
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
