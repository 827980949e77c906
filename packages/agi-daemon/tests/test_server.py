from __future__ import annotations

import asyncio
import socket
import stat
import tempfile
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import grpc
import pytest
from attrs import evolve
from google.protobuf.descriptor_pb2 import FileDescriptorProto
from grpc_health.v1.health_pb2 import HealthCheckRequest, HealthCheckResponse
from grpc_health.v1.health_pb2_grpc import HealthStub
from grpc_reflection.v1alpha import reflection_pb2
from grpc_reflection.v1alpha.reflection_pb2_grpc import ServerReflectionStub

from agi_cluster.api.v1 import runs_pb2 as pb
from agi_cluster.api.v1.runs_pb2_grpc import RunServiceStub
from agi_cluster.wire.errors import from_rpc
from agi_daemon.compose import Services
from agi_daemon.server import Server, grpc_address
from agi_daemon.servicers.descriptors import message_class
from agi_daemon.settings import DaemonSettings
from agi_env.errors import (
    AddressInvalidError,
    DaemonAlreadyRunningError,
    DaemonError,
    DaemonStartError,
)

SERVING = HealthCheckResponse.SERVING
NOT_SERVING = HealthCheckResponse.NOT_SERVING
NOUNS = [
    "App",
    "Daemon",
    "Doctor",
    "Host",
    "Installation",
    "Pipeline",
    "PipelineRun",
    "Plan",
    "Run",
    "Snippet",
]
OURS = {f"agi.v1.{noun}Service" for noun in NOUNS}
GET = pb.GetRunRequest(name="runs/r1")
WATCH = pb.WatchRunRequest(name="runs/r1")


async def test_the_socket_is_private(serving: Any, settings: DaemonSettings) -> None:
    async with serving(settings) as channel:
        assert (await RunServiceStub(channel).GetRun(GET)).name == "runs/r1"
        assert stat.S_IMODE(settings.socket.parent.stat().st_mode) == 0o700
        assert stat.S_IMODE(settings.socket.stat().st_mode) == 0o600
    assert not settings.socket.exists()


async def test_any_path_will_do(serving: Any, state: Path) -> None:
    odd = state.parent / "a b%20#?é"
    async with serving(DaemonSettings.read(str(odd), environ={})) as channel:
        assert (await RunServiceStub(channel).GetRun(GET)).name == "runs/r1"
        assert (odd / "run" / "daemon.sock").is_socket()


async def test_a_dead_daemon_s_socket_is_replaced(serving: Any, settings: DaemonSettings) -> None:
    settings.socket.parent.mkdir()
    with socket.socket(socket.AF_UNIX) as dead:
        dead.bind(str(settings.socket))
    async with serving(settings) as channel:
        assert (await RunServiceStub(channel).GetRun(GET)).name == "runs/r1"


async def test_a_living_daemon_s_socket_is_not(
    serving: Any, services: Services, settings: DaemonSettings
) -> None:
    async with serving(settings) as channel:
        with pytest.raises(DaemonAlreadyRunningError):
            await Server(settings, services).__aenter__()
        assert (await RunServiceStub(channel).GetRun(GET)).name == "runs/r1"


async def test_what_is_no_socket_stays(services: Services, settings: DaemonSettings) -> None:
    settings.socket.parent.mkdir()
    settings.socket.write_text("mine")
    with pytest.raises(DaemonStartError, match="no socket"):
        await Server(settings, services).__aenter__()
    assert settings.socket.read_text() == "mine"


async def test_a_directory_that_is_open_to_others_is_refused_and_left_alone(
    services: Services, settings: DaemonSettings
) -> None:
    with tempfile.TemporaryDirectory(prefix="agi-") as shared:
        Path(shared).chmod(0o755)
        elsewhere = evolve(settings, socket=Path(shared) / "daemon.sock")
        with pytest.raises(AddressInvalidError, match="others may enter"):
            await Server(elsewhere, services).__aenter__()
        assert stat.S_IMODE(Path(shared).stat().st_mode) == 0o755


async def test_a_method_that_is_none(channel: grpc.aio.Channel) -> None:
    with pytest.raises(grpc.aio.AioRpcError) as failure:
        await channel.unary_unary("/agi.v1.RunService/FlyRun")(b"")
    assert failure.value.code() is grpc.StatusCode.UNIMPLEMENTED
    assert isinstance(from_rpc(failure.value), DaemonError)


async def test_a_service_without_a_core_is_not_offered(settings: DaemonSettings) -> None:
    bare = Services(daemon=None)  # type: ignore[arg-type]
    async with (
        Server(settings, bare),
        grpc.aio.insecure_channel(grpc_address(settings.socket)) as channel,
    ):
        with pytest.raises(grpc.aio.AioRpcError) as failure:
            await RunServiceStub(channel).GetRun(GET)
    assert failure.value.code() is grpc.StatusCode.UNIMPLEMENTED


async def test_stopping_ends_streams_at_once_and_lets_calls_finish(
    services: Services, settings: DaemonSettings
) -> None:
    services.runs.hold = True
    server = Server(evolve(settings, stop_grace=60), services)
    async with grpc.aio.insecure_channel(grpc_address(settings.socket)) as channel:
        await server.__aenter__()
        stub = RunServiceStub(channel)
        watch, call = stub.WatchRun(WATCH), asyncio.ensure_future(stub.GetRun(GET))
        assert (await watch.read()).snapshot.name == "runs/r1"
        assert (await watch.read()).event.kind == "accepted"
        await services.runs.held.wait()
        stopping = asyncio.create_task(server.__aexit__(None, None, None))
        with pytest.raises(grpc.aio.AioRpcError) as failure:
            await watch.read()
        error = from_rpc(failure.value)
        assert type(error) is DaemonError
        assert "the daemon is stopping" in str(error)
        assert services.runs.left.is_set()
        services.runs.finish.set()
        assert (await call).name == "runs/r1"
        await stopping


async def test_a_call_that_outlasts_the_grace_is_cut(
    services: Services, settings: DaemonSettings
) -> None:
    services.runs.hold = True
    async with grpc.aio.insecure_channel(grpc_address(settings.socket)) as channel:
        async with Server(evolve(settings, stop_grace=0.05), services):
            call = asyncio.ensure_future(RunServiceStub(channel).GetRun(GET))
            await services.runs.held.wait()
        with pytest.raises(grpc.aio.AioRpcError):
            await call


async def test_a_message_beyond_the_limit_is_refused(
    serving: Any, settings: DaemonSettings
) -> None:
    async with serving(evolve(settings, message_bytes=1000)) as channel:
        with pytest.raises(grpc.aio.AioRpcError) as failure:
            await RunServiceStub(channel).GetRun(pb.GetRunRequest(name="runs/" + "x" * 2000))
    assert from_rpc(failure.value).code == "NO_ROOM"


@pytest.fixture
async def server(services: Services, settings: DaemonSettings) -> AsyncIterator[Server]:
    async with Server(settings, services) as started:
        yield started


@pytest.fixture
async def health(server: Server, settings: DaemonSettings) -> AsyncIterator[grpc.aio.Channel]:
    async with grpc.aio.insecure_channel(grpc_address(settings.socket)) as channel:
        yield channel


async def test_health_is_checked(server: Server, health: grpc.aio.Channel) -> None:
    stub = HealthStub(health)
    for service in ("", *OURS):
        answer = await stub.Check(HealthCheckRequest(service=service))
        assert answer.status == SERVING
    server.health.set(serving=False)
    assert (await stub.Check(HealthCheckRequest())).status == NOT_SERVING
    with pytest.raises(grpc.aio.AioRpcError) as failure:
        await stub.Check(HealthCheckRequest(service="agi.v1.NoService"))
    assert failure.value.code() is grpc.StatusCode.NOT_FOUND


async def test_health_is_listed(health: grpc.aio.Channel) -> None:
    data = await health.unary_unary("/grpc.health.v1.Health/List")(b"")
    answer: Any = message_class("grpc.health.v1.HealthListResponse").FromString(data)
    assert {name: each.status for name, each in answer.statuses.items()} == dict.fromkeys(
        {"", *OURS}, SERVING
    )


async def test_health_is_watched_by_many(server: Server, health: grpc.aio.Channel) -> None:
    stub = HealthStub(health)
    first, second = (stub.Watch(HealthCheckRequest()) for _ in range(2))
    unknown = stub.Watch(HealthCheckRequest(service="agi.v1.NoService"))
    for watch in (first, second):
        assert (await watch.read()).status == SERVING
    assert (await unknown.read()).status == HealthCheckResponse.SERVICE_UNKNOWN
    second.cancel()
    server.health.set(serving=False)
    assert (await first.read()).status == NOT_SERVING
    server.health.set(serving=True)
    assert (await first.read()).status == SERVING


async def test_a_watcher_of_health_is_told_of_the_end(
    services: Services, settings: DaemonSettings
) -> None:
    async with grpc.aio.insecure_channel(grpc_address(settings.socket)) as channel:
        async with Server(evolve(settings, stop_grace=60), services):
            watch = HealthStub(channel).Watch(HealthCheckRequest())
            assert (await watch.read()).status == SERVING
        assert (await watch.read()).status == NOT_SERVING
        with pytest.raises(grpc.aio.AioRpcError) as failure:
            await watch.read()
    assert failure.value.code() is grpc.StatusCode.UNAVAILABLE


async def reflected(
    channel: grpc.aio.Channel, **request: str
) -> reflection_pb2.ServerReflectionResponse:
    call = ServerReflectionStub(channel).ServerReflectionInfo()
    await call.write(reflection_pb2.ServerReflectionRequest(**request))
    answer = await call.read()
    await call.done_writing()
    assert await call.read() is grpc.aio.EOF
    return answer


async def test_reflection_lists_what_is_served(channel: grpc.aio.Channel) -> None:
    answer = await reflected(channel, list_services="")
    assert {each.name for each in answer.list_services_response.service} == {
        *OURS,
        "grpc.health.v1.Health",
        "grpc.reflection.v1alpha.ServerReflection",
    }


@pytest.mark.parametrize("service", [*sorted(OURS), "grpc.health.v1.Health"])
async def test_every_method_that_is_reflected_is_served(
    channel: grpc.aio.Channel, service: str
) -> None:
    answer = await reflected(channel, file_containing_symbol=service)
    files = [
        FileDescriptorProto.FromString(data)
        for data in answer.file_descriptor_response.file_descriptor_proto
    ]
    (described,) = [
        each for file in files for each in file.service if f"{file.package}.{each.name}" == service
    ]
    for method in described.method:
        make = channel.unary_stream if method.server_streaming else channel.unary_unary
        call = make(f"/{service}/{method.name}")(b"")
        if method.server_streaming:
            call.cancel()
        else:
            assert await call.code() is not grpc.StatusCode.UNIMPLEMENTED
