"""What has changed since a plan was made, field by field: pure."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from attrs import frozen

from agi_cluster.model.plan import Plan
from agi_cluster.model.plan_diff import PlanDiff
from agi_cluster.model.requests import CreatePlan, StartRun
from agi_daemon.apps.resolution import Resolution
from agi_env.errors import PlanStaleError

_SHOWN = 5
_SETTINGS = ("partition_timeout", "run_timeout")
_NOTHING = object()


@frozen
class Change:
    """A field that has another value than when the plan was made."""

    field: str
    before: Any
    now: Any

    def __str__(self) -> str:
        return f"{self.field} was {_shown(self.before)} and is {_shown(self.now)}"


def asked_as(plan: CreatePlan, run: StartRun) -> StartRun:
    """The call of a run, with what it leaves open as it was said for the plan."""
    return StartRun(
        app=run.app,
        mode=plan.mode if run.mode is None else run.mode,
        selection=run.selection.over(plan.selection),
        args={**plan.args, **run.args},
        plan=run.plan,
        no_install=run.no_install,
        snippet=run.snippet,
        verbose=run.verbose,
        stale_plan=run.stale_plan,
    )


def changes_since(before: Resolution, now: Resolution) -> tuple[Change, ...]:
    """What a call means otherwise now than it did when the plan was made."""
    found = [
        Change("mode", int(before.mode), int(now.mode)),
        Change("scheduler", before.selection.scheduler, now.selection.scheduler),
        *_by_key("workers", before.selection.workers, now.selection.workers),
        Change("cores_per_slot", before.selection.cores_per_slot, now.selection.cores_per_slot),
        *_by_key("args", before.args, now.args),
        *(Change(name, getattr(before, name), getattr(now, name)) for name in _SETTINGS),
    ]
    different = [each for each in found if _text(each.before) != _text(each.now)]
    if not different:
        different = list(_other_slots(before, now))
    return tuple(different)


def asked_otherwise(run: StartRun, changes: Iterable[Change]) -> tuple[Change, ...]:
    """The changes that the call itself asks for."""
    asked = {f"args.{key}" for key in run.args}
    asked |= {"mode"} if run.mode is not None else set()
    chosen = run.selection
    asked |= {"scheduler"} if chosen.scheduler else set()
    asked |= {"cores_per_slot"} if chosen.cores_per_slot else set()
    return tuple(
        change
        for change in changes
        if change.field in asked or (chosen.workers and change.field.startswith("workers."))
    )


def stale(plan: Plan, changes: Sequence[Change]) -> PlanStaleError:
    """The refusal of a plan for what has changed."""
    first = "; ".join(map(str, changes[:_SHOWN]))
    more = f"; and {len(changes) - _SHOWN} others" if len(changes) > _SHOWN else ""
    facts = {f"changed.{each.field}": f"{each.before!r} → {each.now!r}" for each in changes}
    return PlanStaleError(
        f"since the plan was made {first}{more}",
        where=plan.name,
        remedy=_remedy(plan),
        metadata={"plan": plan.name, **facts},
    )


def other_partitions(plan: Plan, diff: PlanDiff) -> PlanStaleError:
    """The refusal of a plan whose app names other partitions now."""
    return PlanStaleError(
        f"the app names other partitions than when the plan was made: {_partitions(diff)}",
        where=plan.name,
        remedy=_remedy(plan),
        metadata={
            "plan": plan.name,
            "changed.partitions": _partitions(diff),
            "added": json.dumps(diff.added[:_SHOWN]),
            "removed": json.dumps(diff.removed[:_SHOWN]),
        },
    )


def _remedy(plan: Plan) -> str:
    return (
        f"`agi run {plan.app} --plan {plan.name}` with --proceed executes it as it was made, with"
        " --rebase a new plan with its pins and moves"
    )


def _partitions(diff: PlanDiff) -> str:
    kinds = (
        ("added", diff.added_count, diff.added),
        ("removed", diff.removed_count, diff.removed),
        ("of other weight", diff.reweighted_count, [each.id for each in diff.reweighted]),
    )
    said = [
        f"{count} {what} ({', '.join(names[:_SHOWN])}{', …' if count > _SHOWN else ''})"
        for what, count, names in kinds
        if count
    ]
    return ", ".join(said) or "labels or payloads are others"


def _by_key(name: str, before: Mapping[str, Any], now: Mapping[str, Any]) -> Iterator[Change]:
    for key in sorted(before.keys() | now.keys()):
        yield Change(f"{name}.{key}", before.get(key, _NOTHING), now.get(key, _NOTHING))


def _other_slots(before: Resolution, now: Resolution) -> Iterator[Change]:
    for old, new in zip(before.slots, now.slots, strict=False):
        if old.cores != new.cores:
            yield Change(f"slots.{old.index}.cores", old.cores, new.cores)


def _text(value: Any) -> str:
    return "" if value is _NOTHING else json.dumps(value, sort_keys=True)


def _shown(value: Any) -> str:
    text = "absent" if value is _NOTHING else repr(value)
    return text if len(text) <= 60 else f"{text[:59]}…"
