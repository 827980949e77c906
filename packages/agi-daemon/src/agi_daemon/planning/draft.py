"""From what an app named to a plan that can be stored: pure but for the time and the id."""

from __future__ import annotations

import hashlib
from array import array
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime

from attrs import evolve

from agi_cluster.model.plan import Plan, PlanFinding, PlanSlot
from agi_cluster.model.requests import CreatePlan
from agi_daemon.apps.resolution import Resolution
from agi_daemon.planning.lint import lint_plan
from agi_daemon.planning.named import Named
from agi_daemon.planning.origin import NamedFacts, PlanOrigin
from agi_daemon.planning.outline import Outline
from agi_daemon.planning.place_store import digest_of_blocks
from agi_daemon.planning.placement import Placement
from agi_daemon.planning.places import place_blocks
from agi_daemon.planning.plan_store import NewPlan
from agi_daemon.planning.seats import Seat
from agi_daemon.planning.slot_loads import slots_of
from agi_daemon.planning.speeds import Speeds
from agi_daemon.resource_id import new_id
from agi_env.runtime.spec import SlotSpec


def empty_slots(slots: Sequence[SlotSpec], speeds: Speeds) -> tuple[PlanSlot, ...]:
    """The slots of a call with nothing on them."""
    return tuple(
        PlanSlot(
            index=slot.index,
            host=slot.host,
            cores=slot.cores,
            executors=slot.executors,
            speed=slot.executors * speeds.of(slot.host).speed,
            timings=speeds.of(slot.host).timings,
        )
        for slot in slots
    )


def draft(
    request: CreatePlan,
    resolution: Resolution,
    named: Named,
    *,
    seats: Sequence[Seat],
    slots: Sequence[PlanSlot],
    placement: Placement,
    weight_per_second: float = 0.0,
    pins: Mapping[int, int] | None = None,
    change: str = "made",
) -> NewPlan:
    """The plan of a placement; may take a second for very many partitions.

    Args:
        request: What the call said itself.
        resolution: What it amounts to.
        named: The partitions.
        seats: The executors that were placed on.
        slots: The slots, with nothing on them.
        placement: What is on the executors.
        weight_per_second: What an executor of speed 1 does; 0 where that is not known.
        pins: By the position of a partition the slot that it is pinned to.
        change: What made the revision, for people.
    """
    owner = [slot for _, slot in seats]
    assignment = array("I", map(owner.__getitem__, placement.assignment))
    places = place_blocks(assignment, sorted(pins or ()))
    filled = slots_of(slots, seats, placement)
    heaviest_id, heaviest = named.heaviest
    origin = PlanOrigin(
        request=request,
        resolution=resolution,
        partitions_digest=named.digest,
        heaviest_id=heaviest_id,
        heaviest_weight=heaviest,
    )
    digest = digest_of(named.digest, digest_of_blocks([each.digest for each in places]), filled)
    plan = Plan(
        id=new_id(resolution.target),
        revision=1,
        etag=etag_of(1, digest),
        app=resolution.app,
        mode=resolution.mode,
        scheduler=resolution.selection.scheduler,
        slots=filled,
        partition_count=len(named.weights),
        total_weight=sum(placement.loads),
        predicted_finish=placement.finish,
        lower_bound=placement.lower_bound,
        selection_digest=resolution.selection.digest,
        settings_digest=resolution.settings_digest,
        digest=digest,
        create_time=datetime.now(UTC),
        args=resolution.args,
        slot_count=len(slots),
        pinned_count=len(pins or ()),
        change=change,
        weight_per_second=weight_per_second,
    )
    plan = evolve(plan, findings=findings_of(outline_of(plan, origin.facts)))
    buckets = named.buckets()
    return NewPlan(plan=plan, origin=origin, named=named, buckets=buckets, places=places)


def digest_of(partitions: str, places: str, slots: Sequence[PlanSlot]) -> str:
    """The sha256 of what a run executes: every partition, its place, every slot."""
    digest = hashlib.sha256(f"{partitions} {places}".encode())
    for each in slots:
        digest.update(repr((each.index, each.host, each.cores, each.executors)).encode())
    return digest.hexdigest()


def etag_of(revision: int, digest: str) -> str:
    """What names a revision in an edit."""
    return f"{revision}-{digest[:12]}"


def outline_of(
    plan: Plan,
    facts: NamedFacts,
    *,
    drained: frozenset[str] = frozenset(),
    changes: Sequence[str] = (),
) -> Outline:
    """What lint looks at."""
    return Outline(
        name=f"plans/{plan.id}",
        app=plan.app,
        slots=plan.slots,
        partitions=plan.partition_count,
        pinned=plan.pinned_count,
        weight=plan.total_weight,
        heaviest_id=facts.heaviest_id,
        heaviest=facts.heaviest_weight,
        lower_bound=plan.lower_bound,
        drained=drained,
        changes=changes,
    )


def findings_of(outline: Outline) -> tuple[PlanFinding, ...]:
    """What is doubtful, as clients see it."""
    return tuple(
        PlanFinding(
            code=each.code.value,
            message=each.message,
            suggestion=each.suggestion,
            numbers=dict(each.numbers),
        )
        for each in lint_plan(outline)
    )
