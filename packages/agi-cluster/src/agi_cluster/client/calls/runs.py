"""The calls of ``RunService``."""

from __future__ import annotations

from collections.abc import Sequence

from agi_cluster.api.v1 import runs_pb2 as pb
from agi_cluster.api.v1.runs_pb2_grpc import RunServiceStub
from agi_cluster.client.call import Call, Stream, Watch, new_request_id
from agi_cluster.client.deadlines import Pace
from agi_cluster.model.event import Event
from agi_cluster.model.page import Page
from agi_cluster.model.pruning import PrunePolicy, Pruning
from agi_cluster.model.requests import StartRun
from agi_cluster.model.run import Run, RunPartition, RunState
from agi_cluster.wire.message import checked
from agi_cluster.wire.name import resource_name
from agi_cluster.wire.page import page_from_wire
from agi_cluster.wire.pruning import prune_runs_to_wire, pruning_from_wire
from agi_cluster.wire.requests import start_run_to_wire
from agi_cluster.wire.run import run_from_wire, run_states_to_wire, run_update_from_wire
from agi_cluster.wire.run_partition import run_partition_from_wire


def start_run(request: StartRun, *, request_id: str = "", validate_only: bool = False) -> Call[Run]:
    """Have a run accepted."""
    message = start_run_to_wire(
        request, request_id=new_request_id(request_id), validate_only=validate_only
    )
    return Call(
        stub=RunServiceStub,
        rpc="StartRun",
        request=message,
        parse=run_from_wire,
        pace=Pace.CHANGE,
    )


def get_run(name: str) -> Call[Run]:
    """One run."""
    request = checked(pb.GetRunRequest)(name=resource_name("runs", name))
    return Call(stub=RunServiceStub, rpc="GetRun", request=request, parse=run_from_wire)


def list_runs(
    *,
    page_size: int = 0,
    page_token: str = "",
    app: str = "",
    states: Sequence[RunState] = (),
) -> Call[Page[Run]]:
    """A page of the runs, newest first, without their results."""
    request = checked(pb.ListRunsRequest)(
        page_size=page_size, page_token=page_token, app=app, states=run_states_to_wire(states)
    )
    return Call(stub=RunServiceStub, rpc="ListRuns", request=request, parse=_page)


def list_run_partitions(
    parent: str, *, page_size: int = 0, page_token: str = ""
) -> Call[Page[RunPartition]]:
    """A page of a run's partitions, in plan order."""
    request = checked(pb.ListRunPartitionsRequest)(
        parent=resource_name("runs", parent), page_size=page_size, page_token=page_token
    )
    return Call(stub=RunServiceStub, rpc="ListRunPartitions", request=request, parse=_partitions)


def watch_run(
    name: str, *, after_sequence: int = 0, verbose: int | None = None
) -> Watch[Run | Event]:
    """Follow a run: snapshot, events, last snapshot, each with its number."""
    full = resource_name("runs", name)

    def request(after: int) -> pb.WatchRunRequest:
        build = checked(pb.WatchRunRequest)
        return build(name=full, after_sequence=after, verbose=verbose)

    return Watch(
        stub=RunServiceStub,
        rpc="WatchRun",
        request=request,
        after_sequence=after_sequence,
        parse=run_update_from_wire,
    )


def cancel_run(
    name: str,
    *,
    grace_seconds: float | None = None,
    request_id: str = "",
    validate_only: bool = False,
) -> Call[Run]:
    """Ask a run to stop, and kill it after the grace period (default 10 seconds)."""
    request = checked(pb.CancelRunRequest)(
        request_id=new_request_id(request_id),
        name=resource_name("runs", name),
        grace_seconds=grace_seconds,
        validate_only=validate_only,
    )
    return Call(
        stub=RunServiceStub,
        rpc="CancelRun",
        request=request,
        parse=run_from_wire,
        pace=Pace.CHANGE,
    )


def retry_run(
    name: str,
    *,
    current_sources: bool = False,
    request_id: str = "",
    validate_only: bool = False,
) -> Call[Run]:
    """Have a new run accepted that does what a settled one did not."""
    request = checked(pb.RetryRunRequest)(
        request_id=new_request_id(request_id),
        name=resource_name("runs", name),
        current_sources=current_sources,
        validate_only=validate_only,
    )
    return Call(
        stub=RunServiceStub,
        rpc="RetryRun",
        request=request,
        parse=run_from_wire,
        pace=Pace.CHANGE,
    )


def prune_runs(
    policy: PrunePolicy, *, request_id: str = "", validate_only: bool = False
) -> Call[Pruning]:
    """Forget what is old, or only say what would go."""
    return Call(
        stub=RunServiceStub,
        rpc="PruneRuns",
        request=prune_runs_to_wire(
            policy, request_id=new_request_id(request_id), validate_only=validate_only
        ),
        parse=pruning_from_wire,
        pace=Pace.PLAN,
    )


def read_run_log(name: str, *, file: str = "", follow: bool = False) -> Stream[tuple[str, str]]:
    """The text that a run's processes printed, in pieces, each with the name of its file.

    Args:
        name: The run.
        file: Only this file of it; empty: all.
        follow: Go on with what is printed from now on, until the run is settled.
    """
    request = checked(pb.ReadRunLogRequest)(
        name=resource_name("runs", name), file=file, follow=follow
    )
    return Stream(
        stub=RunServiceStub,
        rpc="ReadRunLog",
        request=request,
        parse=_piece,
        pace=Pace.FOLLOW if follow else Pace.LOG,
    )


def _page(response: pb.ListRunsResponse) -> Page[Run]:
    return page_from_wire(response.runs, response.next_page_token, run_from_wire)


def _partitions(response: pb.ListRunPartitionsResponse) -> Page[RunPartition]:
    return page_from_wire(response.partitions, response.next_page_token, run_partition_from_wire)


def _piece(response: pb.ReadRunLogResponse) -> tuple[str, str]:
    return response.file, response.text
