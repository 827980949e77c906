"""``agi.v1.RunService``."""

from __future__ import annotations

from collections.abc import AsyncIterator

from agi_cluster.api.v1 import runs_pb2 as pb
from agi_cluster.api.v1 import runs_pb2_grpc
from agi_cluster.model.event import Event
from agi_cluster.model.pruning import PrunePolicy
from agi_cluster.model.run import Run
from agi_cluster.model.services import RunService
from agi_cluster.wire.name import resource_name
from agi_cluster.wire.pruning import pruning_to_wire
from agi_cluster.wire.requests import start_run_from_wire
from agi_cluster.wire.run import run_states_from_wire, run_to_wire, run_update_to_wire
from agi_cluster.wire.run_partition import run_partition_to_wire
from agi_daemon.interceptors.surround import Context
from agi_daemon.servicers import fields
from agi_daemon.servicers.stream import packed
from agi_daemon.servicers.translation import Translation

_COLLECTION = "runs"


class RunServicer(runs_pb2_grpc.RunServiceServicer):
    """Offers the runs of a core."""

    def __init__(self, runs: RunService) -> None:
        self._runs = runs
        self._message: Translation[Run, pb.Run] = Translation(run_to_wire)
        self._told: Translation[Event, pb.WatchRunResponse] = Translation(
            lambda event: run_update_to_wire(event, event.sequence)
        )

    async def StartRun(self, request: pb.StartRunRequest, context: Context) -> pb.Run:
        fields.verbosity(request)
        wanted = start_run_from_wire(request)
        return run_to_wire(await self._runs.start_run(wanted, **fields.mutation(request)))

    async def GetRun(self, request: pb.GetRunRequest, context: Context) -> pb.Run:
        return self._message(await self._runs.get_run(resource_name(_COLLECTION, request.name)))

    async def ListRuns(self, request: pb.ListRunsRequest, context: Context) -> pb.ListRunsResponse:
        states = run_states_from_wire(request.states)
        page = await self._runs.list_runs(app=request.app, states=states, **fields.page(request))
        runs = [self._message(run) for run in page.items]
        return pb.ListRunsResponse(runs=runs, next_page_token=page.next_page_token)

    async def ListRunPartitions(
        self, request: pb.ListRunPartitionsRequest, context: Context
    ) -> pb.ListRunPartitionsResponse:
        page = await self._runs.list_run_partitions(
            resource_name(_COLLECTION, request.parent), **fields.page(request)
        )
        return pb.ListRunPartitionsResponse(
            partitions=[run_partition_to_wire(partition) for partition in page.items],
            next_page_token=page.next_page_token,
        )

    def WatchRun(
        self, request: pb.WatchRunRequest, context: Context
    ) -> AsyncIterator[pb.WatchRunResponse]:
        updates = self._runs.watch_run(
            resource_name(_COLLECTION, request.name),
            after_sequence=fields.not_negative(request.after_sequence, "after_sequence"),
            verbose=fields.verbosity(request),
        )
        return packed(updates, self._update)

    async def CancelRun(self, request: pb.CancelRunRequest, context: Context) -> pb.Run:
        run = await self._runs.cancel_run(
            resource_name(_COLLECTION, request.name),
            grace_seconds=fields.seconds(request, "grace_seconds"),
            **fields.mutation(request),
        )
        return run_to_wire(run)

    async def RetryRun(self, request: pb.RetryRunRequest, context: Context) -> pb.Run:
        run = await self._runs.retry_run(
            resource_name(_COLLECTION, request.name),
            current_sources=request.current_sources,
            **fields.mutation(request),
        )
        return run_to_wire(run)

    def ReadRunLog(
        self, request: pb.ReadRunLogRequest, context: Context
    ) -> AsyncIterator[pb.ReadRunLogResponse]:
        name = resource_name(_COLLECTION, request.name)
        pieces = self._runs.read_run_log(name, file=request.file, follow=request.follow)
        return packed(pieces, lambda piece: pb.ReadRunLogResponse(file=piece[0], text=piece[1]))

    async def PruneRuns(self, request: pb.PruneRunsRequest, context: Context) -> pb.Pruning:
        policy = PrunePolicy(
            older_than=fields.seconds(request, "older_than_seconds"),
            keep=fields.not_negative(request.keep, "keep"),
            events_older_than=fields.seconds(request, "events_older_than_seconds"),
            requests_older_than=fields.seconds(request, "requests_older_than_seconds"),
        )
        return pruning_to_wire(await self._runs.prune_runs(policy, **fields.mutation(request)))

    def _update(self, update: tuple[Run | Event, int]) -> pb.WatchRunResponse:
        value, sequence = update
        if isinstance(value, Event):
            return self._told(value)
        return run_update_to_wire(value, sequence)
