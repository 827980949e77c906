"""A daemon made small: the generated servicers with a little memory, on a real unix socket."""

# ruff: noqa: N802  (the names of the API's methods)

from __future__ import annotations

import shutil
import tempfile
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path

import attrs
import grpc
import pytest

from agi_cluster.api.v1 import (
    daemon_pb2,
    installations_pb2,
    plans_pb2,
    runs_pb2,
)
from agi_cluster.api.v1.daemon_pb2_grpc import (
    DaemonServiceServicer,
    add_DaemonServiceServicer_to_server,
)
from agi_cluster.api.v1.installations_pb2_grpc import (
    InstallationServiceServicer,
    add_InstallationServiceServicer_to_server,
)
from agi_cluster.api.v1.plans_pb2_grpc import PlanServiceServicer, add_PlanServiceServicer_to_server
from agi_cluster.api.v1.runs_pb2_grpc import RunServiceServicer, add_RunServiceServicer_to_server
from agi_cluster.client import Address
from agi_cluster.model.event import Event
from agi_cluster.model.installation import HostInstallation, Installation, InstallationState
from agi_cluster.model.plan import Plan, PlannedPartition, PlanSlot
from agi_cluster.model.run import PartitionState, Run, RunPartition, RunProgress, RunSlot, RunState
from agi_cluster.wire.errors import to_rpc
from agi_cluster.wire.installation import installation_to_wire, installation_update_to_wire
from agi_cluster.wire.plan import plan_to_wire, planned_partition_to_wire
from agi_cluster.wire.run import run_to_wire, run_update_to_wire
from agi_cluster.wire.run_partition import run_partition_to_wire
from agi_env.errors import AgiError
from agi_env.mode import Mode

NOON = datetime(2026, 1, 2, 12, 0, tzinfo=UTC)
LATER = datetime(2026, 1, 2, 12, 0, 1, 500000, tzinfo=UTC)


def refuse(context: grpc.ServicerContext, error: AgiError) -> None:
    code, message, metadata = to_rpc(error)
    context.set_trailing_metadata(metadata)
    context.abort(code, message)


class FakeRuns(RunServiceServicer):
    """One run with five events, of which a watch may be cut off at any."""

    def __init__(self) -> None:
        self.run = Run(
            id="r1",
            app="flights_project",
            mode=Mode(1),
            state=RunState.SUCCEEDED,
            create_time=NOON,
            end_time=LATER,
            progress=RunProgress(total=3, succeeded=3),
            slots=(
                RunSlot(index=0, host="127.0.0.1", cores=1, partitions=2, busy_seconds=1.0),
                RunSlot(index=1, host="127.0.0.1", cores=1, partitions=1, busy_seconds=0.5),
            ),
            result={"flights": 336776},
        )
        self.partitions = tuple(
            RunPartition(
                id=f"p{index}",
                label=f"EWR {index}",
                weight=1.0,
                state=PartitionState.SUCCEEDED,
                slot=index % 2,
                attempts=1,
                seconds=0.5,
            )
            for index in range(3)
        )
        self.requests: list[object] = []
        self.failures: list[AgiError] = []
        self.watch_failures: list[AgiError] = []
        self.cuts: list[int] = []
        self.quiet_cuts: list[int] = []
        self.held = threading.Event()
        self.held.set()
        self.settling = threading.Event()
        self.settling.set()

    def _answer(self, request: object, context: grpc.ServicerContext) -> runs_pb2.Run:
        self.requests.append(request)
        if self.failures:
            refuse(context, self.failures.pop(0))
        self.held.wait(20)
        return run_to_wire(self.run)

    StartRun = GetRun = CancelRun = _answer

    def ListRunPartitions(self, request, context):
        place = int(request.page_token or 0)
        following = "" if place == 2 else str(place + 1)
        return runs_pb2.ListRunPartitionsResponse(
            partitions=[run_partition_to_wire(self.partitions[place])], next_page_token=following
        )

    def WatchRun(self, request, context):
        self.requests.append(request)
        if self.watch_failures:
            refuse(context, self.watch_failures.pop(0))
        begun = attrs.evolve(self.run, state=RunState.RUNNING)
        yield run_update_to_wire(begun, 5)
        for number in range(request.after_sequence + 1, 6):
            if number in self.cuts:
                self.cuts.remove(number)
                context.abort(grpc.StatusCode.UNAVAILABLE, "cut")
            if number in self.quiet_cuts:
                self.quiet_cuts.remove(number)
                return
            event = Event(sequence=number, time=NOON, kind="partition_finished", data={"id": "p"})
            yield run_update_to_wire(event, number)
        self.settling.wait(20)
        yield run_update_to_wire(self.run, 5)

    def ReadRunLog(self, request, context):
        yield runs_pb2.ReadRunLogResponse(file="runner.log", text="one\n")
        yield runs_pb2.ReadRunLogResponse(file="runner.log", text="two\n")


class FakePlans(PlanServiceServicer):
    """One plan of 40 partitions on two slots."""

    def __init__(self) -> None:
        self.requests: list[plans_pb2.CreatePlanRequest] = []
        slots = tuple(
            PlanSlot(index=index, host="127.0.0.1", cores=1, load=20.0, partition_count=20)
            for index in range(2)
        )
        self.plan = Plan(
            id="q1",
            revision=1,
            etag="e",
            app="flights_project",
            mode=Mode(0),
            scheduler="127.0.0.1:8786",
            slots=slots,
            partition_count=40,
            total_weight=40.0,
            predicted_finish=20.0,
            lower_bound=20.0,
            selection_digest="s",
            settings_digest="t",
            digest="d",
            create_time=NOON,
        )

    def CreatePlan(self, request, context):
        self.requests.append(request)
        return plan_to_wire(self.plan)

    def ListPlanPartitions(self, request, context):
        partitions = [
            PlannedPartition(
                index=index,
                id=f"p{index}",
                label=f"EWR {index}",
                weight=1.0,
                payload=None,
                slot=index % 2,
                host="127.0.0.1",
            )
            for index in range(40)
        ]
        return plans_pb2.ListPlanPartitionsResponse(
            partitions=[planned_partition_to_wire(partition) for partition in partitions]
        )


class FakeInstallations(InstallationServiceServicer):
    """One installation that had nothing to do."""

    def __init__(self) -> None:
        host = HostInstallation(
            host="127.0.0.1", state=InstallationState.SUCCEEDED, unchanged=True, seconds=0.01
        )
        self.installation = Installation(
            id="i1",
            app="flights_project",
            state=InstallationState.SUCCEEDED,
            modes_enabled=Mode(1),
            create_time=NOON,
            end_time=LATER,
            hosts=(host,),
            unchanged=True,
        )

    def CreateInstallation(self, request, context):
        return installation_to_wire(self.installation)

    def WatchInstallation(self, request, context):
        yield installation_update_to_wire(self.installation, 0)

    def ListInstallations(self, request, context):
        return installations_pb2.ListInstallationsResponse()


class FakeDaemonService(DaemonServiceServicer):
    """Says that it is there."""

    def GetDaemon(self, request, context):
        return daemon_pb2.Daemon(version="0.1.0", api="agi.v1", pid=1)


class FakeDaemon:
    """The servicers on a socket, to be stopped and started again."""

    def __init__(self, socket: Path) -> None:
        self.address = Address(socket=socket)
        self.runs = FakeRuns()
        self.plans = FakePlans()
        self.installations = FakeInstallations()
        self._server: grpc.Server | None = None

    def start(self) -> None:
        pool = ThreadPoolExecutor(max_workers=8)
        self._server = grpc.server(pool)
        add_RunServiceServicer_to_server(self.runs, self._server)
        add_PlanServiceServicer_to_server(self.plans, self._server)
        add_InstallationServiceServicer_to_server(self.installations, self._server)
        add_DaemonServiceServicer_to_server(FakeDaemonService(), self._server)
        self._server.add_insecure_port(self.address.target)
        self._server.start()

    def stop(self) -> None:
        server, self._server = self._server, None
        if server is not None:
            self.runs.held.set()
            self.runs.settling.set()
            server.stop(grace=0).wait(10)


@pytest.fixture
def short_path() -> Iterator[Path]:
    """A directory whose path leaves room for the name of a socket."""
    path = Path(tempfile.mkdtemp(prefix="agi-"))
    yield path
    shutil.rmtree(path)


@pytest.fixture
def daemon(short_path: Path) -> Iterator[FakeDaemon]:
    daemon = FakeDaemon(short_path / "d.sock")
    daemon.start()
    yield daemon
    daemon.stop()
