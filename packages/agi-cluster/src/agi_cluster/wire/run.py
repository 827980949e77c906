"""Runs and their updates."""

from __future__ import annotations

from collections.abc import Iterable

from agi_cluster.api.v1 import runs_pb2 as pb
from agi_cluster.model.event import Event
from agi_cluster.model.run import Run, RunPaths, RunProgress, RunSlot, RunState, SnippetOrigin
from agi_cluster.wire.cause import cause_from_wire, cause_to_wire
from agi_cluster.wire.errors import error_from_wire, error_to_wire
from agi_cluster.wire.event import event_from_wire, event_to_wire
from agi_cluster.wire.json_value import (
    struct_from_wire,
    struct_to_wire,
    value_from_wire,
    value_to_wire,
)
from agi_cluster.wire.name import app_reference, resource_id
from agi_cluster.wire.state import enum_from_wire, enum_to_wire
from agi_cluster.wire.time import optional_time, time_from_wire, time_to_wire
from agi_env.mode import Mode


def run_to_wire(run: Run) -> pb.Run:
    """The run as a message."""
    return pb.Run(
        name=f"runs/{run.id}",
        app=f"apps/{run.app}",
        mode=int(run.mode),
        state=enum_to_wire(pb.Run.State, run.state),
        target=enum_to_wire(pb.Run.State, run.target),
        plan=run.plan,
        plan_digest=run.plan_digest,
        release=run.release,
        create_time=time_to_wire(run.create_time),
        start_time=time_to_wire(run.start_time),
        end_time=time_to_wire(run.end_time),
        progress=_progress_to_wire(run.progress),
        error=error_to_wire(run.error),
        result=value_to_wire(run.result, where="result"),
        paths=_paths_to_wire(run.paths),
        slots=[_slot_to_wire(slot) for slot in run.slots],
        warnings=run.warnings,
        epoch=run.epoch,
        waiting_for=run.waiting_for,
        args=struct_to_wire(run.args, where="args"),
        installed=run.installed,
        verbose=run.verbose,
        retry_of=f"runs/{run.retry_of}" if run.retry_of else "",
        runner_lost=cause_to_wire(run.runner_lost),
        uncleared_hosts=run.uncleared_hosts,
    )


def run_from_wire(run: pb.Run) -> Run:
    """The run in a message."""
    return Run(
        id=resource_id("runs", run.name),
        app=app_reference(run.app),
        mode=Mode.parse(run.mode),
        state=enum_from_wire(RunState, pb.Run.State, run.state),
        target=enum_from_wire(RunState, pb.Run.State, run.target),
        plan=run.plan,
        plan_digest=run.plan_digest,
        release=run.release,
        create_time=time_from_wire(run.create_time),
        start_time=optional_time(run, "start_time"),
        end_time=optional_time(run, "end_time"),
        progress=_progress_from_wire(run.progress),
        error=error_from_wire(run.error),
        result=value_from_wire(run.result),
        paths=_paths_from_wire(run.paths),
        slots=tuple(_slot_from_wire(slot) for slot in run.slots),
        warnings=tuple(run.warnings),
        epoch=run.epoch,
        waiting_for=run.waiting_for,
        args=struct_from_wire(run.args),
        installed=run.installed,
        verbose=run.verbose,
        retry_of=resource_id("runs", run.retry_of) if run.retry_of else "",
        runner_lost=cause_from_wire(run.runner_lost),
        uncleared_hosts=tuple(run.uncleared_hosts),
    )


def run_update_to_wire(update: Run | Event, sequence: int) -> pb.WatchRunResponse:
    """One message of a watch."""
    if isinstance(update, Event):
        return pb.WatchRunResponse(event=event_to_wire(update), sequence=sequence)
    return pb.WatchRunResponse(snapshot=run_to_wire(update), sequence=sequence)


def run_update_from_wire(response: pb.WatchRunResponse) -> tuple[Run | Event, int]:
    """The snapshot or event in a message of a watch, and the number it includes."""
    if response.WhichOneof("update") == "event":
        return event_from_wire(response.event), response.sequence
    return run_from_wire(response.snapshot), response.sequence


def run_states_to_wire(states: Iterable[RunState]) -> list[pb.Run.State.ValueType]:
    """The states of a filter as numbers."""
    return [enum_to_wire(pb.Run.State, state) for state in states]


def run_states_from_wire(states: Iterable[int]) -> tuple[RunState, ...]:
    """The states of a filter.

    Raises:
        RequestInvalidError: One is unspecified or unknown.
    """
    return tuple(enum_from_wire(RunState, pb.Run.State, state) for state in states)


def snippet_origin_to_wire(origin: SnippetOrigin | None) -> pb.SnippetOrigin | None:
    """The origin as a message; None leaves the field unset."""
    if origin is None:
        return None
    return pb.SnippetOrigin(api=origin.api, settings_digest=origin.settings_digest)


def snippet_origin_from_wire(origin: pb.SnippetOrigin) -> SnippetOrigin:
    """The origin in a message."""
    return SnippetOrigin(api=origin.api, settings_digest=origin.settings_digest)


def _progress_to_wire(progress: RunProgress) -> pb.RunProgress:
    return pb.RunProgress(
        total=progress.total,
        succeeded=progress.succeeded,
        failed=progress.failed,
        running=progress.running,
        weight_done=progress.weight_done,
        weight_total=progress.weight_total,
    )


def _progress_from_wire(progress: pb.RunProgress) -> RunProgress:
    return RunProgress(
        total=progress.total,
        succeeded=progress.succeeded,
        failed=progress.failed,
        running=progress.running,
        weight_done=progress.weight_done,
        weight_total=progress.weight_total,
    )


def _paths_to_wire(paths: RunPaths) -> pb.RunPaths:
    return pb.RunPaths(
        published=paths.published, kept=paths.kept, run_directory=paths.run_directory
    )


def _paths_from_wire(paths: pb.RunPaths) -> RunPaths:
    return RunPaths(published=paths.published, kept=paths.kept, run_directory=paths.run_directory)


def _slot_to_wire(slot: RunSlot) -> pb.RunSlot:
    return pb.RunSlot(
        index=slot.index,
        host=slot.host,
        cores=slot.cores,
        partitions=slot.partitions,
        busy_seconds=slot.busy_seconds,
        cpu_seconds=slot.cpu_seconds,
        weight=slot.weight,
        lost=cause_to_wire(slot.lost),
    )


def _slot_from_wire(slot: pb.RunSlot) -> RunSlot:
    return RunSlot(
        index=slot.index,
        host=slot.host,
        cores=slot.cores,
        partitions=slot.partitions,
        busy_seconds=slot.busy_seconds,
        cpu_seconds=slot.cpu_seconds,
        weight=slot.weight,
        lost=cause_from_wire(slot.lost),
    )
