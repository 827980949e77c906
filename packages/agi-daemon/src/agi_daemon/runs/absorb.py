"""From the journal to what is stored and told: pure, one record at a time."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from attrs import evolve, frozen

from agi_cluster.model.run import (
    Cause,
    PartitionState,
    Run,
    RunPartition,
    RunProgress,
    RunSlot,
    RunState,
)
from agi_daemon.events import Fact
from agi_daemon.runs.record import RunRecord, SchedulerPlace
from agi_env.errors import AgiError, PartitionFailedError, error_from
from agi_env.runtime.causes import EndCause

VERBOSITY = {
    "settled": 0,
    "partition_failed": 1,
    "partition_started": 2,
    "partition_finished": 2,
    "partition_moved": 2,
    "executor_started": 2,
    "executor_ready": 2,
    "executor_ended": 2,
    "scheduler_started": 2,
    "slot_joined": 2,
    "partition_inherited": 2,
}
"""Of the kinds of the journal's records; 1 for all others."""

_OF_PARTITIONS = frozenset(
    {
        "partition_started",
        "partition_finished",
        "partition_failed",
        "partition_moved",
        "partition_inherited",
    }
)

_LOSES_A_SLOT = frozenset({"slot_lost", "slot_given_up", "worker_gone"})
_MOST_WARNINGS = 20


@frozen
class Place:
    """What the plan says of one partition."""

    label: str
    weight: float
    slot: int


@frozen
class Absorbed:
    """What one record of the journal changes."""

    record: RunRecord
    fact: Fact
    partition: RunPartition | None


def absorb(
    record: RunRecord,
    entry: Mapping[str, Any],
    places: Mapping[str, Place],
    earlier: RunPartition | None,
) -> Absorbed:
    """Take one record of the journal into account.

    Args:
        record: The run as it was before.
        entry: The journal's record, flat.
        places: The plan, by partition id.
        earlier: What was known of the record's partition, if it is about one.
    """
    data = {key: value for key, value in entry.items() if key not in ("seq", "t", "kind")}
    kind = str(entry["kind"])
    fact = Fact(kind=kind, data=data, verbosity=VERBOSITY.get(kind, 1), at=float(entry["t"]))
    partition = _partition(kind, entry, places, earlier)
    if partition is not None and partition.error is not None:
        partition = evolve(partition, error=named_after(partition.error, record.run))
    run = _moved(record.run, kind, entry, earlier, partition)
    scheduler = _scheduler(record.scheduler, kind, entry)
    seq = int(entry["seq"])
    return Absorbed(evolve(record, run=run, scheduler=scheduler, journal_seq=seq), fact, partition)


def _scheduler(
    known: SchedulerPlace | None, kind: str, entry: Mapping[str, Any]
) -> SchedulerPlace | None:
    if kind == "scheduler_started":
        return SchedulerPlace(address=str(entry["address"]), epoch=int(entry["epoch"]))
    return None if kind == "runner_started" else known


def _partition(
    kind: str,
    entry: Mapping[str, Any],
    places: Mapping[str, Place],
    earlier: RunPartition | None,
) -> RunPartition | None:
    if kind not in _OF_PARTITIONS:
        return None
    place = places[entry["id"]]
    known = earlier or RunPartition(
        id=entry["id"],
        label=place.label,
        weight=place.weight,
        state=PartitionState.WAITING,
        slot=place.slot,
    )
    if kind == "partition_moved":
        target = int(entry["to_slot"])
        because = "" if target == place.slot else str(entry.get("reason", ""))
        waiting = PartitionState.WAITING
        return evolve(known, slot=target, state=waiting, moved_because=because)
    if kind == "partition_inherited":
        return evolve(
            known,
            state=PartitionState.SUCCEEDED,
            seconds=float(entry["seconds"]),
            cpu_seconds=float(entry["cpu_seconds"]),
            inherited_from=str(entry["run"]),
        )
    where: dict[str, Any] = {"slot": int(entry["slot"]), "attempts": int(entry["attempt"])}
    if kind == "partition_started":
        begun = datetime.fromtimestamp(float(entry["t"]), tz=UTC)
        return evolve(known, **where, state=PartitionState.RUNNING, start_time=begun)
    if kind == "partition_finished":
        return evolve(
            known,
            **where,
            state=PartitionState.SUCCEEDED,
            seconds=float(entry["seconds"]),
            cpu_seconds=float(entry["cpu_seconds"]),
            error=None,
            traceback="",
        )
    return _failed(evolve(known, **where), entry)


def _failed(known: RunPartition, entry: Mapping[str, Any]) -> RunPartition:
    cause = entry["cause"]
    state = PartitionState.FAILED if entry["final"] else PartitionState.WAITING
    return evolve(
        known,
        state=state,
        seconds=max(0.0, float(entry["t"]) - known.start_time.timestamp())
        if known.start_time
        else 0.0,
        error=_cause_error(known, cause),
        traceback=str(cause.get("traceback") or ""),
        cause=shown(cause),
        executor_deaths=int(cause.get("deaths") or known.executor_deaths),
        quarantined=bool(cause.get("quarantined")),
    )


def shown(cause: Mapping[str, Any]) -> Cause:
    """A cause of the journal, as the API has it."""
    return Cause(
        kind=str(cause.get("kind", "")),
        message=str(cause.get("message") or cause.get("detail") or ""),
        exit_code=cause.get("exit_code"),
        signal=cause.get("signal"),
        log_tail=str(cause.get("log_tail") or ""),
    )


def _cause_error(known: RunPartition, cause: Mapping[str, Any]) -> AgiError:
    if "error" in cause:
        return error_from(cause["error"]["code"], cause["error"]["metadata"])
    return PartitionFailedError(
        str(cause.get("message") or cause.get("kind") or "it failed"),
        where=f"partition {known.label}",
        metadata={"partition": known.id, "cause": str(cause.get("kind", ""))},
    )


def _moved(
    run: Run,
    kind: str,
    entry: Mapping[str, Any],
    earlier: RunPartition | None,
    partition: RunPartition | None,
) -> Run:
    if partition is not None:
        done = kind == "partition_finished"
        run = evolve(
            run,
            progress=_progress(run.progress, earlier, partition),
            slots=_slots(run.slots, partition) if done else run.slots,
        )
    elif kind == "runner_started":
        begun = run.start_time or datetime.fromtimestamp(float(entry["t"]), tz=UTC)
        lost = evolve(run.progress, running=0)
        run = evolve(run, start_time=begun, epoch=run.epoch + 1, progress=lost)
    elif kind in _LOSES_A_SLOT and "cause" in entry:
        run = evolve(run, slots=_without_worker(run.slots, entry))
    elif kind == "stop_cut_short":
        run = evolve(run, warnings=_with_warning(run.warnings, entry))
    elif kind == "published":
        run = evolve(run, paths=evolve(run.paths, published=str(entry["path"])))
    elif kind == "settled":
        run = _settled(run, entry)
    return run


def _settled(run: Run, entry: Mapping[str, Any]) -> Run:
    told = entry.get("error")
    error = error_from(told["code"], told["metadata"]) if told else None
    return evolve(
        run,
        state=RunState(entry["state"]),
        end_time=datetime.fromtimestamp(float(entry["t"]), tz=UTC),
        error=error and named_after(error, run),
        paths=evolve(run.paths, kept=str(entry.get("kept") or "")),
        progress=evolve(run.progress, running=0),
        waiting_for="",
    )


def _progress(
    progress: RunProgress, earlier: RunPartition | None, partition: RunPartition
) -> RunProgress:
    before = earlier.state if earlier else PartitionState.WAITING
    counts = {
        PartitionState.RUNNING: progress.running,
        PartitionState.SUCCEEDED: progress.succeeded,
        PartitionState.FAILED: progress.failed,
        PartitionState.WAITING: 0,
    }
    counts[before] = max(0, counts[before] - 1)
    counts[partition.state] += 1
    gained = (partition.state is PartitionState.SUCCEEDED) - (before is PartitionState.SUCCEEDED)
    return evolve(
        progress,
        running=counts[PartitionState.RUNNING],
        succeeded=counts[PartitionState.SUCCEEDED],
        failed=counts[PartitionState.FAILED],
        weight_done=progress.weight_done + gained * partition.weight,
    )


def _slots(slots: tuple[RunSlot, ...], partition: RunPartition) -> tuple[RunSlot, ...]:
    return tuple(
        evolve(
            slot,
            partitions=slot.partitions + 1,
            busy_seconds=slot.busy_seconds + partition.seconds,
            cpu_seconds=slot.cpu_seconds + partition.cpu_seconds,
            weight=slot.weight + partition.weight,
        )
        if slot.index == partition.slot
        else slot
        for slot in slots
    )


def _without_worker(slots: tuple[RunSlot, ...], entry: Mapping[str, Any]) -> tuple[RunSlot, ...]:
    cause = shown(entry["cause"])
    return tuple(evolve(s, lost=cause) if s.index == entry["slot"] else s for s in slots)


def _with_warning(warnings: tuple[str, ...], entry: Mapping[str, Any]) -> tuple[str, ...]:
    words = EndCause.from_dict(entry["cause"]).words
    told = f"executor {entry['executor']} of slot {entry['slot']} {words} during stop()"
    return warnings if len(warnings) >= _MOST_WARNINGS else (*warnings, told)


def named_after(error: AgiError, run: Run) -> AgiError:
    """The error with the names of the run and its app in the commands that its remedy tells."""
    return error_from(error.code, {"app": run.app, "run": run.id, **error.to_metadata()})
