"""A run's directories: whole spec, plan and journal with its runner, the spec with its workers."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import PurePosixPath
from typing import Any

from agi_daemon.log import get_log
from agi_daemon.planning.plan_store import PlanContent
from agi_daemon.runs.cluster_settings import ClusterSettings
from agi_daemon.runs.directories import VERDICT_FILE
from agi_daemon.runs.order import order_of
from agi_daemon.runs.record import RunRecord
from agi_daemon.runs.restorable import verdict_of
from agi_daemon.transport.host_transport import Channel, HostTransport
from agi_env.errors import AgiError, NotFoundError, PythonMissingError, RefusedError
from agi_env.module_command import module_command
from agi_env.runtime.inheritance import INHERITANCE_FILE
from agi_env.runtime.journal import JOURNAL_FILE
from agi_env.runtime.logs import LOGS_DIRECTORY
from agi_env.runtime.spec import PLAN_FILE, SPEC_FILE, RunPlan, RunSpec

_log = get_log(__name__)

PLANNING_LOG = "planning.log"

_DEADLINE_S = 30.0
_LOG_LIMIT_BYTES = 10 * 1024 * 1024
_RETRY_PAUSE_S = 0.2


def place_of(transport: HostTransport, run_id: str) -> PurePosixPath:
    """Where the directory of a run is on its host."""
    return transport.root / "runs" / run_id


def python_of(transport: HostTransport, record: RunRecord) -> str:
    """The interpreter of the run's build on one of its hosts.

    Of what the record says only the build's name counts: it may have been told by another host,
    and nothing outside our own builds is to be executed for that.
    """
    name = PurePosixPath(record.builds[transport.host]).name
    return str(transport.root / "builds" / name / "bin" / "python")


async def write(
    transport: HostTransport, record: RunRecord, content: PlanContent, cluster: ClusterSettings
) -> None:
    """Write the spec, and on the runner's host the plan; again, the same bytes are written."""
    spec = spec_of(record, transport.host, cluster)
    files = {SPEC_FILE: spec.to_json().encode()}
    if transport.host == record.runner_host:
        whole = replace(spec, order=order_of(record, content.plan))
        files = {
            SPEC_FILE: whole.to_json().encode(),
            PLAN_FILE: plan_of(content).to_json().encode(),
        }
    place = place_of(transport, record.run.id)
    await transport.write_files(place, files, deadline_s=_DEADLINE_S)


async def write_journal(transport: HostTransport, record: RunRecord, journal: bytes) -> None:
    """Give a runner what an earlier one on another host has done, before it starts."""
    place = place_of(transport, record.run.id)
    await transport.write_files(place, {JOURNAL_FILE: journal}, deadline_s=_DEADLINE_S)


async def write_inheritance(transport: HostTransport, record: RunRecord, legacy: bytes) -> None:
    """Give a runner what the run that its own one retries has done, before it starts."""
    place = place_of(transport, record.run.id)
    await transport.write_files(place, {INHERITANCE_FILE: legacy}, deadline_s=_DEADLINE_S)


async def keep_planning_log(transport: HostTransport, record: RunRecord, printed: str) -> None:
    """Keep what the app printed while it named its partitions beside the run's other logs."""
    logs = place_of(transport, record.run.id) / LOGS_DIRECTORY
    try:
        await transport.write_files(logs, {PLANNING_LOG: printed.encode()}, deadline_s=_DEADLINE_S)
    except AgiError as error:
        # The run goes on: it will say itself what is the matter with its directory.
        _log.warning("no planning log is kept", run=record.run.id, reason=str(error))


async def keep_verdict(here: HostTransport, record: RunRecord) -> None:
    """Say on this machine how the daemon settled a run, which no journal says."""
    place = place_of(here, record.run.id)
    try:
        await here.write_files(place, {VERDICT_FILE: verdict_of(record)}, deadline_s=_DEADLINE_S)
    except (AgiError, OSError) as error:
        # The store has the last word; this is for the day on which it is lost.
        _log.warning("no verdict is kept", run=record.run.id, reason=str(error))


async def read_result(transport: HostTransport, record: RunRecord) -> Any:
    """What ``reduce`` returned, from the published directory; None where nothing was published."""
    published = record.run.paths.published
    if not published:
        return None
    path = PurePosixPath(published) / "result.json"
    return json.loads(await transport.read_file(path, deadline_s=_DEADLINE_S))


def read_logs(
    transport: HostTransport, record: RunRecord, file: str
) -> AsyncIterator[tuple[str, str]]:
    """Yield the text of the run's logs, or of one of them, each piece with its file's name.

    Raises:
        NotFoundError: The run's build was removed from the host, which is what reads them.
    """
    return _log_pieces(transport, record, [], file, None)


def follow_logs(
    transport: HostTransport, record: RunRecord, file: str, over: asyncio.Event
) -> AsyncIterator[tuple[str, str]]:
    """Yield the same as it comes; once ``over`` is set, what is there by then is the last.

    Raises:
        NotFoundError: As `read_logs` does.
    """
    return _log_pieces(transport, record, ["--follow"], file, over)


async def _log_pieces(
    transport: HostTransport,
    record: RunRecord,
    options: Sequence[str],
    file: str,
    over: asyncio.Event | None,
) -> AsyncIterator[tuple[str, str]]:
    arguments = [*options, str(place_of(transport, record.run.id)), *([file] if file else [])]
    argv = module_command(python_of(transport, record), "agi_env.runtime.logs", *arguments)
    try:
        async with await transport.open_channel(argv) as channel, _telling(channel, over):
            async for line in channel.lines():
                piece = json.loads(line)
                yield piece["file"], piece["text"]
    except (RefusedError, PythonMissingError) as error:
        raise NotFoundError(
            f"the logs cannot be read: the build of run {record.run.id} is not there any more",
            where=transport.host,
            remedy="Its results stay: `agi runs show RUN` says where",
            metadata={"run": record.run.id},
        ) from error


@asynccontextmanager
async def _telling(channel: Channel, over: asyncio.Event | None) -> AsyncIterator[None]:
    """Tell a command once it is over, while this lasts."""
    if over is None:
        yield
        return

    async def tell() -> None:
        await over.wait()
        await channel.send(b"\n")

    telling = asyncio.create_task(tell(), name="telling that it is over")
    try:
        yield
    finally:
        telling.cancel()
        await asyncio.gather(telling, return_exceptions=True)


def spec_of(record: RunRecord, host: str, cluster: ClusterSettings) -> RunSpec:
    """What the runner, or a worker, is told on one of the run's hosts."""
    run, resolution = record.run, record.resolution
    place = replace(resolution.scheduler, host=record.meeting_host or resolution.scheduler.host)
    meeting = cluster.spec(place) if resolution.clustered else None
    return RunSpec(
        run_id=run.id,
        app=run.app,
        target=resolution.target,
        mode=int(run.mode),
        verbose=resolution.verbose,
        args=resolution.args,
        data_in=resolution.data_in,
        data_out=resolution.data_out,
        build=record.builds[host],
        release=run.release,
        plan_digest=run.plan_digest,
        slots=resolution.slots,
        partition_timeout_s=resolution.partition_timeout,
        run_timeout_s=resolution.run_timeout,
        max_attempts=resolution.max_attempts,
        retry_pause_s=_RETRY_PAUSE_S,
        log_limit_bytes=_LOG_LIMIT_BYTES,
        cluster=meeting,
    )


def plan_of(content: PlanContent) -> RunPlan:
    """The plan revision as the runner reads it."""
    return RunPlan(
        plan_id=content.plan.id,
        revision=content.plan.revision,
        partitions=tuple(content.partitions),
        assignment=tuple(content.assignment),
    )
