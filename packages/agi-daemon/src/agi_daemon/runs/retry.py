"""Retrying a run: what the new one takes over from it, and what forbids that."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from datetime import datetime
from pathlib import Path, PurePosixPath
from typing import Any

from attrs import evolve

from agi_cluster.model.event import Event
from agi_cluster.model.requests import StalePlan
from agi_cluster.model.run import Run, RunState
from agi_daemon.install.installer import Installer
from agi_daemon.install.resolution import Role
from agi_daemon.planning.plan_store import PlanContent
from agi_daemon.runs.record import RunRecord
from agi_daemon.transport.host_transport import HostTransport
from agi_env.app import App
from agi_env.errors import RetryRefusedError
from agi_env.runtime.inheritance import Inheritance, Legacy
from agi_env.runtime.work_area import WorkArea

_DEADLINE_S = 30.0
_NOW = "`agi runs retry RUN --current-sources` goes on with the sources as they are now"


def retried(
    record: RunRecord, run_id: str, create: datetime, *, current_sources: bool
) -> RunRecord:
    """The run that does the rest of a settled one: same plan, arguments, hosts and limits.

    Raises:
        RetryRefusedError: The run is not settled, or did all there was to do.
    """
    first = record.run
    if not first.state.settled:
        raise _refused(first, f"it is {first.state.value}", "Wait for its end, or cancel it first")
    if first.state is RunState.SUCCEEDED:
        raise _refused(first, "it succeeded, nothing is left to do", "")
    run = Run(
        id=run_id,
        app=first.app,
        mode=first.mode,
        state=RunState.QUEUED,
        create_time=create,
        plan=first.plan,
        args=first.args,
        verbose=first.verbose,
        release=first.release,
        retry_of=first.id,
        warnings=(f"what {first.id} did was made by release {first.release[:12]}",)
        if current_sources and first.progress.succeeded
        else (),
    )
    return RunRecord(
        number=0,
        run=run,
        resolution=record.resolution,
        no_install=record.no_install,
        release=record.release,
        stale_plan=StalePlan.PROCEED,
        current_sources=current_sources,
    )


async def require_kept(record: RunRecord, transport: HostTransport) -> None:
    """See that what a run has done is still there, where it has done anything.

    Raises:
        RetryRefusedError: It is gone.
        HostError: Its host cannot be asked.
    """
    if not record.run.progress.succeeded:
        return
    area = _area(record)
    there = await transport.run(["test", "-d", str(area)], deadline_s=_DEADLINE_S)
    if there.returncode != 0:
        raise _refused(record.run, f"its results are gone from {area}", "")


async def require_same_sources(record: RunRecord, installer: Installer) -> None:
    """See that the sources are those that a run had.

    Raises:
        RetryRefusedError: They have changed since.
        AppNotFoundError, AppInvalidError: The app is gone or is none any more.
    """
    if not record.run.release or record.release:
        return  # it got as far as to have one; or its own was chosen, whatever the sources are
    app = App.at(Path(record.resolution.app_path))
    current = await installer.resolver.recall(
        app, modes_enabled=record.resolution.modes_enabled, role=Role.WORKER
    )
    if current is None or current.release.digest != record.run.release:
        raise _refused(record.run, "the sources have changed since", _NOW)


def refuse_other_sources(record: RunRecord, release: str) -> None:
    """See that a run that retries another has the release of that one, if it is to have it.

    Raises:
        RetryRefusedError: The sources have changed since.
    """
    wanted = record.run.release
    if record.run.retry_of and wanted and wanted != release and not record.current_sources:
        first = evolve(record.run, id=record.run.retry_of)
        raise _refused(first, "the sources have changed since", _NOW)


def inheritance_of(
    record: RunRecord, events: Callable[[str], Iterable[Event]], content: PlanContent
) -> Inheritance:
    """What a run takes over, by the copied journal of the one that it retries."""
    places = {partition.id: place for place, partition in enumerate(content.partitions)}
    done: dict[str, Mapping[str, Any]] = {}
    for event in events(f"runs/{record.run.retry_of}"):
        match event.kind:
            case "partition_finished":
                done.setdefault(event.data["id"], event.data)
            case "partition_inherited":
                done.setdefault(event.data["id"], {**event.data, "epoch": 0})
            case "result_lost":
                done.pop(event.data["id"], None)
    results = {name: _legacy(places[name], data) for name, data in done.items() if name in places}
    return Inheritance(record.run.retry_of, record.resolution.data_out, results)


def kept_area(record: RunRecord) -> str:
    """Where the results are of a run that ends without its runner saying so; empty: it has none."""
    run = record.run
    return str(_area(record)) if run.start_time and not run.paths.kept else run.paths.kept


def _area(record: RunRecord) -> PurePosixPath:
    return PurePosixPath(WorkArea(Path(record.resolution.data_out), record.run.id).root)


def _legacy(place: int, data: Mapping[str, Any]) -> Legacy:
    return Legacy(
        place=place,
        epoch=int(data["epoch"]),
        attempt=int(data["attempt"]),
        seconds=float(data["seconds"]),
        cpu_seconds=float(data["cpu_seconds"]),
        sha256=str(data["sha256"]),
        bytes=int(data["bytes"]),
    )


def _refused(run: Run, what: str, remedy: str) -> RetryRefusedError:
    facts = {"run": run.id, "app": run.app}
    return RetryRefusedError(what, where=f"run {run.id}", remedy=remedy, metadata=facts)
