from __future__ import annotations

import errno
import json
import sqlite3
from pathlib import Path
from typing import Any

import grpc
import pytest

from agi_cluster.api.v1 import runs_pb2 as pb
from agi_cluster.api.v1.runs_pb2_grpc import RunServiceStub
from agi_cluster.wire.errors import from_rpc
from agi_daemon.compose import Services
from agi_daemon.log import open_log
from agi_env.errors import AgiError, DiskFullError, InternalError, catalogue

GET = pb.GetRunRequest(name="runs/r1")
WATCH = pb.WatchRunRequest(name="runs/r1")


async def told(call: Any) -> AgiError:
    """What a caller is told by a call that fails."""
    with pytest.raises(grpc.aio.AioRpcError) as failure:
        if hasattr(call, "__aiter__"):
            async for _ in call:
                pass
        else:
            await call
    return from_rpc(failure.value)


def lines(log: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in log.read_text().splitlines()]


@pytest.mark.parametrize("code", sorted(catalogue()))
async def test_every_error_arrives_as_what_it_is(
    channel: grpc.aio.Channel, services: Services, code: str
) -> None:
    error = catalogue()[code].from_metadata(
        {"what": "it is so", "where": "héré:3", "remedy": "Do that", "host": "h", "n": "1\n2"}
    )
    services.runs.failure = error
    for call in (RunServiceStub(channel).GetRun(GET), RunServiceStub(channel).WatchRun(WATCH)):
        arrived = await told(call)
        assert type(arrived) is type(error)
        assert str(arrived) == str(error)
        facts = arrived.to_metadata()
        facts.pop("incident", None)
        assert facts == error.to_metadata()
        assert (await call.code()).name == error.status


@pytest.mark.parametrize(
    "failure",
    [
        sqlite3.OperationalError("database or disk is full"),
        OSError(errno.ENOSPC, "No space left on device"),
        OSError(errno.EDQUOT, "Disk quota exceeded"),
        ExceptionGroup("tasks", [OSError(errno.ENOSPC, "No space left on device")]),
    ],
)
async def test_a_full_disk_is_called_so(
    channel: grpc.aio.Channel, services: Services, failure: Exception
) -> None:
    services.runs.failure = failure
    assert type(await told(RunServiceStub(channel).GetRun(GET))) is DiskFullError


@pytest.mark.parametrize("method", ["GetRun", "WatchRun"])
async def test_a_defect_is_told_by_its_incident_and_logged_with_its_trace(
    channel: grpc.aio.Channel, services: Services, tmp_path: Path, method: str
) -> None:
    services.runs.failure = KeyError("our own secret business")
    with open_log(tmp_path / "log"):
        arrived = await told(getattr(RunServiceStub(channel), method)(GET))
    assert type(arrived) is InternalError
    assert "business" not in str(arrived)
    (defect,) = [line for line in lines(tmp_path / "log") if line["event"] == "defect"]
    assert defect["incident"] == arrived.metadata["incident"]
    assert defect["where"] == f"/agi.v1.RunService/{method}"
    assert "KeyError: 'our own secret business'" in defect["trace"]
    assert "conftest.py" in defect["trace"]


async def test_an_error_of_one_task_of_a_group_is_that_error(
    channel: grpc.aio.Channel, services: Services
) -> None:
    services.runs.failure = ExceptionGroup("tasks", [DiskFullError("no room", where="here")])
    assert "here: no room" in str(await told(RunServiceStub(channel).GetRun(GET)))


async def test_what_is_no_message_is_an_invalid_request(channel: grpc.aio.Channel) -> None:
    for kind in ("GetRun", "WatchRun"):
        make = channel.unary_unary if kind == "GetRun" else channel.unary_stream
        arrived = await told(make(f"/agi.v1.RunService/{kind}")(b"\xff\xff\xff"))
        assert arrived.code == "REQUEST_INVALID"


async def test_a_reader_who_leaves_ends_the_core_s_watch(
    channel: grpc.aio.Channel, services: Services, tmp_path: Path
) -> None:
    with open_log(tmp_path / "log"):
        call = RunServiceStub(channel).WatchRun(WATCH)
        assert (await call.read()).snapshot.name == "runs/r1"
        call.cancel()
        await services.runs.left.wait()
    (line,) = [line for line in lines(tmp_path / "log") if line["event"] == "call"]
    assert (line["method"], line["code"]) == ("/agi.v1.RunService/WatchRun", "CANCELLED")


async def test_each_call_has_its_line(
    channel: grpc.aio.Channel, services: Services, tmp_path: Path
) -> None:
    stub = RunServiceStub(channel)
    with open_log(tmp_path / "log", level="debug"):
        await stub.GetRun(GET)
        await stub.StartRun(pb.StartRunRequest(app="flights"))
        await told(stub.GetRun(pb.GetRunRequest()))
    calls = [line for line in lines(tmp_path / "log") if line["event"] == "call"]
    assert [(c["method"].split("/")[-1], c["code"], c["level"]) for c in calls] == [
        ("GetRun", "OK", "debug"),
        ("StartRun", "OK", "info"),
        ("GetRun", "INVALID_ARGUMENT", "info"),
    ]
    assert all(call["ms"] >= 0 for call in calls)
